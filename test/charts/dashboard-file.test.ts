/** The dashboard and the alerts as files: whole, in the chart, and naming only metrics that the programs have. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { createMetrics } from "@caudal/workloads/runtime/metrics";
import { Metrics } from "../../operator/src/controller/metrics.ts";
import { repository } from "../cluster/host/paths.ts";
import { run } from "../cluster/host/run.ts";
import { dashboard, fill, queries } from "./support/dashboard.ts";
import { chartFolder, render } from "./support/helm.ts";
import { only } from "./support/manifest.ts";
import { prometheusProgram } from "./support/prometheus.ts";

const alertsFile = join(chartFolder("caudal"), "alerts/caudal.yaml");
const everything = { namespace: ".*", pipeline: ".*", stage: ".*" };

describe("the dashboard", () => {
  it("is in a ConfigMap that Grafana's sidecar finds, byte for byte", async () => {
    const map = only(await render("caudal", { values: ["monitoring"] }), "ConfigMap");
    expect(map.metadata.labels).toMatchObject({ grafana_dashboard: "1" });
    expect(map.metadata.annotations).toEqual({ grafana_folder: "Streams" });
    expect(JSON.parse(map.data?.["caudal.json"] ?? "")).toEqual(dashboard);
    const without = await render("caudal", { set: ["metrics.dashboard.enabled=false"] });
    expect(without.map(({ kind }) => kind)).not.toContain("ConfigMap");
  });

  it("has panels with a title, an explanation and a place of their own", () => {
    const shown = dashboard.panels.filter(({ type }) => type !== "row");
    expect(shown.length).toBeGreaterThan(25);
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
    for (const { title, description = "", targets = [] } of shown) {
      expect(description, title).toMatch(/^[A-Z0-9].*\.$/);
      expect(targets.length, title).toBeGreaterThan(0);
    }
    const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
  });

  it("lets namespace, pipeline and stage be chosen, and every query uses only these", () => {
    expect(dashboard.templating.list.map(({ name }) => name)).toEqual(["datasource", "namespace", "pipeline", "stage"]);
    expect(() => queries(everything)).not.toThrow();
    expect(() => fill("up{cluster=~\"$cluster\"}", everything)).toThrow(/\$cluster/);
  });
});

describe("the metrics that dashboard and alerts name", () => {
  it("are metrics of the operator or of the workloads", async () => {
    const operator = new Metrics();
    operator.queueObserver();
    operator.controllerObserver(1);
    const workload = createMetrics({ namespace: "n", pipeline: "p", stage: "s", role: "aggregator" });
    const registries = [operator.registry, workload.registry];
    const known = new Set(
      registries.flatMap((registry) => registry.getMetricsAsArray().map((metric) => (metric as { name: string }).name)),
    );
    const expressions = [...queries(everything).map(([, expression]) => expression), ...(await alertExpressions())];
    const prefixes = /\b(?:caudal|controller_runtime|workqueue|rest_client|leader_election|process|nodejs)_[a-z0-9_]+/g;
    const named = new Set(expressions.flatMap((expression) => expression.match(prefixes) ?? []));
    expect(named.size).toBeGreaterThan(20);
    const strange = [...named].filter((name) => !known.has(name) && !known.has(name.replace(/_(bucket|count|sum)$/, "")));
    expect(strange).toEqual([]);
    expect(known.has("caudal_pipelines_total")).toBe(false);
  });
});

describe("the alerts", () => {
  it("are rules that promtool accepts, each with a severity and something to do", async () => {
    const output = await run(await prometheusProgram("promtool"), ["check", "rules", alertsFile]);
    expect(output).toMatch(/SUCCESS: 11 rules found/);
    const rules = (parse(await readFile(alertsFile, "utf8")) as AlertFile).groups.flatMap((group) => group.rules);
    for (const { alert, labels, annotations } of rules) {
      expect(labels.severity, alert).toMatch(/^(warning|critical)$/);
      expect(annotations.summary.length, alert).toBeGreaterThan(10);
      expect(annotations.description.length, alert).toBeGreaterThan(10);
      expect(annotations.runbook_url, alert).toBe(`docs/runbooks/${alert}.md`);
      const page = await readFile(join(repository, annotations.runbook_url), "utf8");
      expect(page, alert).toMatch(new RegExp(`^# ${alert}\n[^]+## What it costs\n[^]+## What to do\n\n1[.] `));
      expect(await tested(), alert).toContain(`alertname: ${alert}\n        exp_alerts:\n          - exp_labels`);
    }
  });

  it("fire when they should, and not before", async () => {
    const output = await run(await prometheusProgram("promtool"), [
      "test",
      "rules",
      join(import.meta.dirname, "alerts.promtool.yaml"),
    ]);
    expect(output).toContain("SUCCESS");
  });

  it("are in the PrometheusRule of the chart", async () => {
    const rule = only(await render("caudal", { values: ["monitoring"] }), "PrometheusRule");
    expect(rule.spec).toEqual(parse(await readFile(alertsFile, "utf8")));
    expect(rule.metadata.labels).toMatchObject({ release: "prometheus" });
    const elsewhere = await render("caudal", {
      values: ["monitoring"],
      set: ["metrics.rules.runbooks=https://wiki.example.org/caudal/"],
    });
    expect(JSON.stringify(only(elsewhere, "PrometheusRule"))).toContain(
      '"runbook_url":"https://wiki.example.org/caudal/CaudalNoLeader.md"',
    );
  });
});

interface AlertFile {
  groups: {
    rules: {
      alert: string;
      expr: string;
      labels: { severity: string };
      annotations: { summary: string; description: string; runbook_url: string };
    }[];
  }[];
}

/** What is put to promtool. */
async function tested(): Promise<string> {
  return await readFile(join(import.meta.dirname, "alerts.promtool.yaml"), "utf8");
}

async function alertExpressions(): Promise<string[]> {
  const { groups } = parse(await readFile(alertsFile, "utf8")) as AlertFile;
  return groups.flatMap(({ rules }) => rules.map(({ expr }) => expr));
}
