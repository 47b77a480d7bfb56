/** Lookups whose rows come from files instead of a database. */
import { readFile } from "node:fs/promises";
import type { TransformConfig } from "@caudal/crds";
import type { Joined } from "@caudal/workloads/kernel/evaluation";
import { JsonReader, plainText } from "@caudal/pipeline/json";
import type { TransformPlan } from "@caudal/pipeline/sql";
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
  const reader = new JsonReader(columns.map((column) => [column]));
  const lines = (await readLines(file)).map((line, index) => {
    const bytes = Buffer.from(line);
    const found = reader.read(bytes, 0, bytes.length);
    if (found !== undefined)
      throw new FileInvalid(
        `${file}:${index + 1} is no JSON object: write one row of the table a line (${found.detail})`,
      );
    // A number keeps its digits.
    return columns.map((_, place) => {
      const start = reader.starts[place] ?? -1;
      return start < 0 ? null : (plainText(bytes.toString("utf8", start, reader.ends[place])) ?? null);
    });
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
