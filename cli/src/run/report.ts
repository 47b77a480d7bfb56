/** What a run gave, as text. */
import { valueAt } from "@caudal/workloads/kafka/record-block";
import { UsageError } from "../errors.ts";
import { type Format, format } from "../output/format.ts";
import type { Result } from "../output/result.ts";
import type { Letter } from "./letter.ts";
import type { TopicLog } from "./log.ts";
import type { Ran } from "./run.ts";
import type { Shown } from "./shown.ts";

export interface Choice {
  readonly output: Format;
  /** Only this table, or this topic. */
  readonly table?: string | undefined;
  readonly topic?: string | undefined;
}

/** @throws UsageError for a table or topic that the run does not have, and for csv of more than one */
export function report(ran: Ran, { output, table, topic }: Choice): string {
  const parts = partsOf(ran);
  const wanted = table ?? topic;
  if (wanted === undefined && output === "json") return jsonDocument(parts);
  const kind = table === undefined ? "topic" : "table";
  const chosen = wanted === undefined ? parts : parts.filter((part) => part.kind === kind && part.name === wanted);
  if (wanted !== undefined && chosen.length === 0) {
    const names = namesOf(parts, kind);
    throw new UsageError(
      `the pipeline writes no ${kind} ${wanted}: ${names === "" ? "it writes none" : `choose one of ${names}`}`,
    );
  }
  if (wanted !== undefined) return chosen.map(({ result }) => format(result, output)).join("");
  if (output === "csv")
    throw new UsageError(`csv holds one table: write --table NAME, one of ${namesOf(parts, "table")}`);
  return chosen
    .filter((part) => part.kind !== "deadLetters" || part.result.rows.length > 0)
    .map((part) => `${title(part)}\n${format(part.result, "table")}`)
    .join("\n");
}

function namesOf(parts: readonly Part[], kind: Part["kind"]): string {
  return parts
    .filter((part) => part.kind === kind)
    .map(({ name }) => name)
    .join(", ");
}

interface Part {
  readonly kind: Shown["kind"] | "topic" | "deadLetters";
  readonly name: string;
  readonly result: Result;
}

function partsOf({ shown, topics, letters }: Ran): readonly Part[] {
  return [
    ...shown,
    ...topics.map((log): Part => ({ kind: "topic", name: log.topic, result: topicResult(log) })),
    { kind: "deadLetters", name: "dead letters", result: lettersResult(letters) },
  ];
}

function title({ kind, name, result }: Part): string {
  const rows = `${result.rows.length} ${result.rows.length === 1 ? "row" : "rows"}`;
  return kind === "deadLetters" ? `dead letters (${result.rows.length})` : `${kind} ${name} (${rows})`;
}

function topicResult({ sections }: TopicLog): Result {
  const values = sections.flatMap(({ block }) =>
    Array.from({ length: block.count }, (_, row) => [valueAt(block, row)?.toString() ?? null]),
  );
  return { columns: [{ name: "value", kind: "json" }], rows: values };
}

function lettersResult(letters: readonly Letter[]): Result {
  return {
    columns: ["stage", "place", "reason", "detail", "tables", "value"].map((name) => ({ name, kind: "text" })),
    rows: letters.map(({ stage, place, reason, detail, tables, value }) => [
      ...[stage, place, reason, detail, tables.length === 0 ? null : tables.join(" ")],
      value?.toString() ?? null,
    ]),
  };
}

function jsonDocument(parts: readonly Part[]): string {
  const rows = ({ result }: Part) => `[${format(result, "json").trimEnd().split("\n").join(",\n")}]`;
  const named = (kind: Part["kind"]) =>
    parts.filter((part) => part.kind === kind).map((part) => `${JSON.stringify(part.name)}:${rows(part)}`);
  const letters = parts.filter(({ kind }) => kind === "deadLetters").map(rows);
  return `{"tables":{${named("table").join(",\n")}},\n"topics":{${named("topic").join(",\n")}},\n"redis":{${named("redis").join(",\n")}},\n"files":{${named("files").join(",\n")}},\n"deadLetters":${letters.join("")}}\n`;
}
