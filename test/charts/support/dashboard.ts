/** The dashboard as Grafana reads it, and its queries as Grafana would send them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { chartFolder } from "./helm.ts";

export interface Panel {
  id: number;
  type: string;
  title: string;
  description?: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { refId: string; expr: string }[];
}
export interface Variable {
  name: string;
  type: string;
  definition?: string;
}
export interface Dashboard {
  uid: string;
  panels: Panel[];
  templating: { list: Variable[] };
}

export const dashboard = JSON.parse(
  readFileSync(join(chartFolder("caudal"), "dashboards/caudal.json"), "utf8"),
) as Dashboard;

/** The dashboard's variables, chosen. */
export interface Choice {
  readonly namespace: string;
  readonly pipeline: string;
  readonly stage: string;
}

/** A query with its variables filled in; one that nothing fills is an error. */
export function fill(expression: string, choice: Choice): string {
  const values: Readonly<Record<string, string>> = { ...choice, __rate_interval: "1m" };
  return expression.replace(/\$(\w+)/g, (variable, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`no variable of the dashboard is ${variable}, in ${expression}`);
    return value;
  });
}

/** Every query of the dashboard with the panel that shows it. */
export function queries(choice: Choice): [title: string, expression: string][] {
  return dashboard.panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ refId, expr }): [string, string] => [`${title} (${refId})`, fill(expr, choice)]),
  );
}
