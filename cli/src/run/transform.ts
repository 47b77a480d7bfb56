/** A transform on a log in memory: the kernel of the workloads, and what each output would hold. */
import { keyOf, type OutputConfig, parseKeyTemplate, type TopicConfig, type TransformConfig } from "@caudal/crds";
import { placesIn } from "@caudal/pipeline/json";
import type { RecordBlock } from "@caudal/workloads/kafka/record-block";
import { columnText, jsonTextAt } from "@caudal/workloads/kernel/delta-text";
import type { Joined } from "@caudal/workloads/kernel/evaluation";
import { Projection } from "@caudal/workloads/kernel/projection";
import type { Rows } from "@caudal/workloads/kernel/rows";
import { compileTransformPlan } from "@caudal/pipeline/duckdb";
import type { TransformPlan } from "@caudal/pipeline/sql";
import { kindOfPostgres, type Result } from "../output/result.ts";
import type { Letter } from "./letter.ts";
import { type Beside, countRecords, type Section, type TopicLog } from "./log.ts";
import type { Shown } from "./shown.ts";

export interface Transformed {
  readonly shown: readonly Shown[];
  readonly letters: readonly Letter[];
  readonly records: number;
  readonly passed: number;
  /** By topic, the values of its new records, and where each comes from. */
  readonly written: ReadonlyMap<string, readonly Passed[]>;
}

/** An event that passed. */
export interface Passed {
  readonly place: string;
  /** As it goes on: the select's columns, or the event's own bytes. */
  readonly json: string;
  /** Values of the select's columns, as PostgreSQL writes them. */
  readonly values: readonly (string | null)[];
  /** The same as they stand in JSON, without its quotes: what keys are made of. */
  readonly texts: readonly (string | null)[];
  /** The record's key and headers. */
  readonly beside: Beside;
}

export async function transform(
  stage: string,
  config: TransformConfig,
  log: TopicLog,
  lookups: (plan: TransformPlan) => Promise<Joined | undefined>,
): Promise<Transformed> {
  const plan = await compileTransformPlan(config);
  const wants = new Set(["columns", "json"] as const);
  const joined = await lookups(plan);
  const projection = await Projection.open(plan, config.topic, { wants }, joined);
  const passed: Passed[] = [];
  const letters: Letter[] = [];
  try {
    for (const section of log.sections) {
      const { bad, unwritten } = await projection.add(section.block, { from: 0, to: section.block.count });
      passed.push(...passedOf(projection.take(), plan, section));
      for (const { row, reason, detail } of [...bad, ...unwritten])
        letters.push({
          ...{ stage, place: section.place(row), reason, detail, tables: [] },
          value: section.block.original(row).value,
        });
    }
  } finally {
    await projection.close();
  }
  const outputs = config.to.map((output) => writeTo(stage, output, plan, passed));
  return {
    shown: outputs.flatMap(({ shown }) => shown ?? []),
    letters: [...letters, ...outputs.flatMap((output) => output.letters)],
    records: countRecords(log),
    passed: passed.length,
    written: new Map(
      await Promise.all(config.to.flatMap(({ topic }) => (topic === undefined ? [] : [written(topic)]))),
    ),
  };

  async function written(topic: TopicConfig): Promise<readonly [string, readonly Passed[]]> {
    const keyAt = plan.columns.findIndex(({ name }) => name === topic.key);
    const keyed = passed.map((row) => ({ ...row, beside: { ...row.beside, key: keyOfRow(row, keyAt) } }));
    const isMoved = topic.fields.some(({ from }) => from !== undefined) && !plan.untouched;
    if (!isMoved) return [topic.name, keyed];
    const values = await valuesFor(topic, plan, config, log, joined);
    return [topic.name, keyed.map((row, index) => ({ ...row, json: values[index] ?? "" }))];
  }
}

/** @param at of the column that is the key, -1 where the record keeps its own */
function keyOfRow({ texts, beside }: Passed, at: number): Buffer | null {
  if (at < 0) return beside.key;
  const text = texts[at] ?? null;
  return text === null ? null : Buffer.from(text);
}

/** The same rows, each value where the topic has its field. */
async function valuesFor(
  topic: TopicConfig,
  plan: TransformPlan,
  config: TransformConfig,
  log: TopicLog,
  joined: Joined | undefined,
): Promise<readonly string[]> {
  const wanted = { wants: new Set(["json"] as const), placeOf: placesIn(topic) };
  const projection = await Projection.open(plan, config.topic, wanted, joined);
  const values: string[] = [];
  try {
    for (const { block } of log.sections) {
      await projection.add(block, { from: 0, to: block.count });
      const { json, count } = projection.take();
      for (let row = 0; row < count; row++)
        values.push(json?.bytes.toString("utf8", json.starts[row], json.ends[row]) ?? "");
    }
  } finally {
    await projection.close();
  }
  return values;
}

function passedOf(rows: Rows, plan: TransformPlan, { block, place }: Section): Passed[] {
  const first = block.offsets[0] ?? 0;
  const typeOf = (index: number) => plan.columns[index]?.duckdbType ?? "";
  const values = rows.columns.map((column, index) => columnText(column, typeOf(index)));
  const texts = rows.columns.map((column, index) => jsonTextAt(column, typeOf(index)));
  return Array.from({ length: rows.count }, (_, row) => ({
    beside: besideOf(block, (rows.offsets[row] ?? 0) - first),
    place: place((rows.offsets[row] ?? 0) - first),
    json: rows.json?.bytes.toString("utf8", rows.json.starts[row], rows.json.ends[row]) ?? "",
    values: values.map((column) => column[row] ?? null),
    texts: texts.map((textAt) => textAt(row)),
  }));
}

function besideOf(block: RecordBlock, row: number): Beside {
  const { key, headers } = block.original(row);
  return { key, headers };
}

interface Written {
  readonly shown?: Shown;
  readonly letters: readonly Letter[];
}

function writeTo(
  stage: string,
  { name, table, redis, files, topic }: OutputConfig,
  plan: TransformPlan,
  passed: readonly Passed[],
): Written {
  const columns = plan.columns.map((column) => ({ name: column.name, kind: kindOfPostgres(column.postgresType) }));
  if (topic !== undefined) return { letters: [] };
  if (table !== undefined) {
    const { kept, letters } = latest(stage, passed, keyReader(plan, table.key), "RefusedByDatabase");
    const result = { columns, rows: kept.map(({ row }) => row.values) };
    return { shown: { kind: "table", name: table.name, result }, letters };
  }
  if (redis !== undefined) {
    const template = parseKeyTemplate(redis.key);
    const read = typeof template === "string" ? undefined : keyReader(plan, template.columns);
    const { kept, letters } = latest(stage, passed, read, "RefusedByOutput");
    const rows = kept.map(({ row, key }) => [
      (typeof template === "string" ? undefined : keyOf(template, key)) ?? null,
      row.json,
    ]);
    return { shown: { kind: "redis", name: `${stage}.${name}`, result: { columns: REDIS_COLUMNS, rows } }, letters };
  }
  if (files === undefined) return { letters: [] };
  const result = { columns, rows: passed.map(({ values }) => values) };
  return { shown: { kind: "files", name: `${stage}.${name}`, result }, letters: [] };
}

const REDIS_COLUMNS: Result["columns"] = [
  { name: "key", kind: "text" },
  { name: "value", kind: "json" },
];

type ReadKey = (row: Passed) => readonly (string | null)[];

function keyReader({ columns }: TransformPlan, names: readonly string[] | undefined): ReadKey | undefined {
  if (names === undefined) return undefined;
  const places = names.map((name) => columns.findIndex((column) => column.name === name));
  return ({ texts }) => places.map((place) => texts[place] ?? null);
}

interface Kept {
  readonly row: Passed;
  readonly key: readonly (string | null)[];
}

/** The latest row of each key, in the order in which keys came first; all rows without a key. */
function latest(
  stage: string,
  passed: readonly Passed[],
  read: ReadKey | undefined,
  reason: Letter["reason"],
): { readonly kept: readonly Kept[]; readonly letters: readonly Letter[] } {
  if (read === undefined) return { kept: passed.map((row) => ({ row, key: [] })), letters: [] };
  const kept = new Map<string, Kept>();
  const letters: Letter[] = [];
  for (const row of passed) {
    const key = read(row);
    if (!key.includes(null)) kept.set(JSON.stringify(key), { row, key });
    else {
      const about = { stage, place: row.place, reason, detail: "a column of its key is NULL", tables: [] };
      letters.push({ ...about, value: Buffer.from(row.json) });
    }
  }
  return { kept: [...kept.values()], letters };
}
