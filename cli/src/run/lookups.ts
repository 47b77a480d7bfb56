/** Lookups whose rows come from files instead of a database. */
import { readFile } from "node:fs/promises";
import type { TransformConfig } from "@caudal/crds";
import type { Joined } from "@caudal/workloads/kernel/evaluation";
import type { TransformPlan } from "@caudal/workloads/sql/transform-plan";
import { LookupTables } from "@caudal/workloads/transform/lookup-tables";
import { FileInvalid, UsageError } from "../errors.ts";

export interface LookupFile {
  readonly lookup: string;
  /** One JSON object a line, with the columns of the table. */
  readonly file: string;
}

/** @param text as written after --lookup: `NAME=FILE` @throws UsageError */
export function readLookupFile(text: string): LookupFile {
  const at = text.indexOf("=");
  if (at < 1) throw new UsageError(`--lookup ${text}: write --lookup NAME=FILE, with one JSON object a line`);
  return { lookup: text.slice(0, at), file: text.slice(at + 1) };
}

/** @throws UsageError for a lookup without a file; FileInvalid */
export async function openLookups(
  stage: string,
  { lookups }: TransformConfig,
  { lookups: plans }: TransformPlan,
  files: readonly LookupFile[],
): Promise<Joined | undefined> {
  if (plans.length === 0) return undefined;
  const known = await Promise.all(
    plans.map(async (plan) => {
      const file = files.find(({ lookup }) => lookup === plan.name)?.file;
      const table = lookups.find(({ name }) => name === plan.name)?.table ?? "";
      const columns = [...plan.on.map(({ column }) => column), ...plan.columns.map(({ name }) => name)];
      if (file === undefined)
        throw new UsageError(
          `the stage ${stage} looks into ${table}: give its rows with --lookup ${plan.name}=FILE, one JSON object a line with ${columns.join(", ")}`,
        );
      return { plan, table, rows: await readRows(file, columns) };
    }),
  );
  return new LookupTables(known);
}

/** @returns a JSON list of lists of texts, as the columns of a query would be */
async function readRows(file: string, columns: readonly string[]): Promise<string> {
  const lines = (await readLines(file)).map((line, index) => {
    const row = parseRow(line, `${file}:${index + 1}`);
    return columns.map((column) => textOf(row[column]));
  });
  return JSON.stringify(lines);
}

async function readLines(file: string): Promise<readonly string[]> {
  try {
    return (await readFile(file, "utf8")).split("\n").filter((line) => line.trim() !== "");
  } catch (error) {
    throw new FileInvalid(`cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

function parseRow(line: string, place: string): Readonly<Record<string, unknown>> {
  try {
    const row: unknown = JSON.parse(line);
    if (typeof row === "object" && row !== null && !Array.isArray(row)) return row as Record<string, unknown>;
  } catch {
    // said below
  }
  throw new FileInvalid(`${place} is no JSON object: write one row of the table a line`);
}

function textOf(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  return typeof value === "string" ? value : JSON.stringify(value);
}
