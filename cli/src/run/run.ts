/** A whole pipeline on topics in memory, stage by stage. */
import type { AggregatorConfig, StreamPipeline, TransformConfig } from "@caudal/crds";
import { type StageSpec, stagesOf, buildAggregatorConfig, buildTransformConfig } from "@caudal/pipeline";
import { UsageError } from "../errors.ts";
import { aggregate } from "./aggregate.ts";
import { append, fileSection, generatedSection, type InputFile, logOf, readInputs } from "./input.ts";
import type { Letter } from "./letter.ts";
import { type Beside, type TopicLog, valuesSection } from "./log.ts";
import { type LookupFile, openLookups } from "./lookups.ts";
import { inOrder, type Node } from "./order.ts";
import { resultOf } from "./rows.ts";
import type { Shown } from "./shown.ts";
import { transform } from "./transform.ts";

export interface RunOptions {
  /** As written after --input. */
  readonly inputs: readonly string[];
  /** Rows of lookups, by their names. */
  readonly lookups: readonly LookupFile[];
  /** Events of each generator, where its topic is given no file. */
  readonly events: number;
  /** Epoch milliseconds that records without a time of their own are given. */
  readonly time: number;
}

export interface Ran {
  readonly shown: readonly Shown[];
  readonly letters: readonly Letter[];
  /** Topics that stages wrote. */
  readonly topics: readonly TopicLog[];
  /** One sentence a stage: what it read, and what came late. */
  readonly notes: readonly string[];
}

interface RunnableStage extends Node {
  readonly spec: Extract<StageSpec, { role: "aggregator" | "transform" }>;
}

/** @throws UsageError, FileInvalid, NotSupported */
export async function run(pipeline: StreamPipeline, options: RunOptions): Promise<Ran> {
  const stages = inOrder(stagesOf(pipeline).flatMap((stage) => runnable(stage) ?? []));
  const written = new Set(stages.flatMap(({ writes }) => writes));
  const sources = [...new Set(stages.map(({ reads }) => reads))].filter((topic) => !written.has(topic));
  const notes: string[] = [];
  const logs = await fill(pipeline, readInputs(options.inputs, pipeline.spec, sources), options, notes);
  const ran: Mutable = { shown: [], letters: [] };
  for (const { name, reads, spec } of stages) {
    const log = logOf(logs, reads);
    const written =
      spec.role === "aggregator"
        ? await runAggregator(ran, notes, name, buildAggregatorConfig(pipeline, spec), log)
        : await runTransform(ran, notes, name, buildTransformConfig(pipeline, spec), log, options.lookups);
    for (const [topic, { values, place, beside }] of written) {
      const time = () => options.time;
      const more = beside === undefined ? {} : { beside };
      append(logs, topic, (offset) => valuesSection(values, place, { topic, offset, time, ...more }));
    }
  }
  return { ...ran, topics: [...written].map((topic) => logOf(logs, topic)), notes };
}

interface Mutable {
  readonly shown: Shown[];
  readonly letters: Letter[];
}

/** By topic, values and where each comes from. */
interface WrittenRecords {
  readonly values: readonly string[];
  readonly place: (row: number) => string;
  readonly beside?: (row: number) => Beside;
}
type Written = ReadonlyMap<string, WrittenRecords>;

async function runAggregator(
  { shown, letters }: Mutable,
  notes: string[],
  name: string,
  config: AggregatorConfig,
  log: TopicLog,
): Promise<Written> {
  const done = await aggregate(name, config, log);
  for (const rows of done.tables) shown.push({ kind: "table", name: rows.table.name, result: resultOf(rows) });
  letters.push(...done.letters);
  const late = [...done.late].map(([table, count]) => `; ${count} came late for ${table}`).join("");
  notes.push(`${name} read ${done.records} records of ${log.topic}${late}`);
  return new Map([...done.final].map(([topic, values]) => [topic, { values, place: (row) => `${topic}:${row + 1}` }]));
}

async function runTransform(
  { shown, letters }: Mutable,
  notes: string[],
  name: string,
  config: TransformConfig,
  log: TopicLog,
  lookups: readonly LookupFile[],
): Promise<Written> {
  const done = await transform(name, config, log, async (plan) => await openLookups(name, config, plan, lookups));
  shown.push(...done.shown);
  letters.push(...done.letters);
  notes.push(`${name} read ${done.records} records of ${log.topic}; ${done.passed} passed`);
  return new Map(
    [...done.written].map(([topic, passed]) => [
      topic,
      {
        values: passed.map(({ json }) => json),
        place: (row) => passed[row]?.place ?? "",
        beside: (row) => passed[row]?.beside ?? { key: null, headers: [] },
      },
    ]),
  );
}

function runnable(spec: StageSpec): RunnableStage | undefined {
  switch (spec.role) {
    case "generator":
      return undefined;
    case "source":
      // Its table is not here: what it would write is given as a file.
      return undefined;
    case "aggregator":
      return {
        name: spec.name,
        reads: spec.topic,
        writes: spec.tables.flatMap(({ emit }) => emit?.final.topic ?? []),
        spec,
      };
    case "transform":
      return { name: spec.name, reads: spec.topic, writes: spec.to.flatMap(({ topic }) => topic ?? []), spec };
  }
}

async function fill(
  { spec }: StreamPipeline,
  inputs: readonly InputFile[],
  { events, time }: RunOptions,
  notes: string[],
): Promise<Map<string, TopicLog>> {
  const logs = new Map<string, TopicLog>();
  for (const input of inputs) {
    const offset = logOf(logs, input.topic).sections.reduce((sum, { block }) => sum + block.count, 0);
    const section = await fileSection(input, offset, time);
    append(logs, input.topic, () => section);
  }
  const generators = (spec.generators ?? []).filter(({ topic }) => !logs.has(topic));
  for (const generator of generators) {
    append(logs, generator.topic, (offset) => generatedSection(spec, generator, { count: events, offset, time }));
    notes.push(`the generator ${generator.name} wrote to ${generator.topic}`);
  }
  if (logs.size === 0)
    throw new UsageError(
      "there are no events: write --input FILE, with one JSON object a line, or --input - for stdin",
    );
  return logs;
}
