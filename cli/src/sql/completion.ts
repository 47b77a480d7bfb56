/** What may follow what was typed. Pure. */
import { fieldSql } from "@caudal/pipeline/sql";
import { FORMATS } from "../output/format.ts";
import { EXPANDED, PAGERS } from "../output/settings.ts";
import type { Catalog } from "./catalog.ts";
import { SHOWN } from "./statement.ts";

export const STARTS = [
  ...SHOWN.map((what) => `SHOW ${what};`),
  "DESCRIBE ",
  "PRINT ",
  "SELECT ",
  "CREATE STREAM ",
  "DROP STREAM ",
  "SET 'auto.offset.reset' = 'earliest';",
  ...["\\d ", "\\dt", "\\l", "\\x ", "\\o ", "\\pset ", "\\?", "\\q"],
];
const WORDS = ["FROM", "WHERE", "EMIT CHANGES", "LIMIT", "GROUP BY", "ORDER BY", "AS SELECT", "FROM BEGINNING"];

/** As node:readline wants it: candidates, and the part of the line that they stand for. */
export type Completion = readonly [candidates: string[], part: string];

/** @param line up to the cursor, with the lines of the statement before it */
export function complete(line: string, catalog: Catalog | undefined): Completion {
  const statement = line.slice(line.lastIndexOf(";") + 1).trimStart();
  const starts = matching(inCaseOf(statement, STARTS), statement);
  if (starts.length > 0) return [starts, statement];
  const part = /["'`]?[\w.\\-]*$/.exec(line)?.[0] ?? "";
  const before = statement
    .slice(0, statement.length - part.length)
    .trimEnd()
    .toUpperCase();
  return [matching(candidatesAfter(before, catalog, inCaseOf(part, WORDS)), part), part];
}

function candidatesAfter(before: string, catalog: Catalog | undefined, words: readonly string[]): readonly string[] {
  const topics = catalog?.topics.map(({ config }) => config.name) ?? [];
  const tables = catalog?.tables.map(({ name }) => name) ?? [];
  const streams = catalog?.streams.map(({ transform }) => transform.name) ?? [];
  const connectors = catalog?.connectors.map(({ name }) => name) ?? [];
  if (/\b(FROM|JOIN)$/.test(before)) return [...topics, ...tables];
  if (/\bPRINT$/.test(before)) return topics;
  if (/(\bDESCRIBE|^\\D\+?)$/.test(before)) return [...topics, ...tables, ...streams, ...connectors];
  if (/\bSTREAM$/.test(before)) return streams;
  if (/^\\(O|PSET FORMAT)$/.test(before)) return FORMATS;
  if (/^\\(X|PSET EXPANDED)$/.test(before)) return EXPANDED;
  if (/^\\PSET PAGER$/.test(before)) return PAGERS;
  if (/^\\PSET$/.test(before)) return ["pager", "expanded", "format", "null"];
  const columns = [
    ...(catalog?.topics.flatMap(({ config }) => config.fields.map(({ name }) => fieldSql(name))) ?? []),
    ...(catalog?.tables.flatMap(({ key }) => key) ?? []),
  ];
  return [...new Set([...columns, ...words, ...topics, ...tables])];
}

/** Words are written as the typed part is: in capitals, unless it is in small letters. */
function inCaseOf(part: string, words: readonly string[]): readonly string[] {
  return part !== "" && part === part.toLowerCase() ? words.map((word) => word.toLowerCase()) : words;
}

function matching(candidates: readonly string[], part: string): string[] {
  const start = part.replace(/^["'`]/, "").toLowerCase();
  const quote = part.slice(0, part.length - start.length);
  // A name in double quotes is completed with them.
  const matches = candidates.filter((one) => one.replace(/^"/, "").toLowerCase().startsWith(start));
  return matches.map((one) => (one.startsWith('"') ? one : quote + one));
}
