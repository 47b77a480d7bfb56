/** A whole pipeline on topics in memory, stage by stage. */
import type { StreamPipeline } from "@caudal/crds";
import { type StageSpec, stagesOf } from "@caudal/operator/plan/stages";
import { buildAggregatorConfig } from "@caudal/operator/plan/workload-config";
import { NotSupported, UsageError } from "../errors.ts";
import { aggregate } from "./aggregate.ts";
import { append, fileSection, generatedSection, type InputFile, logOf, readInputs } from "./input.ts";
import type { Letter } from "./letter.ts";
import { type TopicLog, valuesSection } from "./log.ts";
import { inOrder, type Node } from "./order.ts";
import type { TableRows } from "./rows.ts";

export interface RunOptions {
  /** As written after --input. */
  readonly inputs: readonly string[];
  /** Events of each generator, where its topic is given no file. */
  readonly events: number;
  /** Epoch milliseconds that records without a time of their own are given. */
  readonly time: number;
}

export interface Ran {
  readonly tables: readonly TableRows[];
  readonly letters: readonly Letter[];
  /** Topics that stages wrote. */
  readonly topics: readonly TopicLog[];
  /** One sentence a stage: what it read, and what came late. */
  readonly notes: readonly string[];
}

interface RunnableStage extends Node {
  readonly spec: Extract<StageSpec, { role: "aggregator" }>;
}

/** @throws UsageError, FileInvalid, NotSupported */
export async function run(pipeline: StreamPipeline, options: RunOptions): Promise<Ran> {
  const stages = inOrder(stagesOf(pipeline).flatMap((stage) => runnable(stage) ?? []));
  const written = new Set(stages.flatMap(({ writes }) => writes));
  const sources = [...new Set(stages.map(({ reads }) => reads))].filter((topic) => !written.has(topic));
  const notes: string[] = [];
  const logs = await fill(pipeline, readInputs(options.inputs, pipeline.spec, sources), options, notes);
  const tables: TableRows[] = [];
  const letters: Letter[] = [];
  for (const { name, reads, spec } of stages) {
    const done = await aggregate(name, buildAggregatorConfig(pipeline, spec), logOf(logs, reads));
    tables.push(...done.tables);
    letters.push(...done.letters);
    for (const [topic, values] of done.final) {
      const time = () => options.time;
      append(logs, topic, (offset) => valuesSection(values, topic, { topic, offset, time }));
    }
    const late = [...done.late].map(([table, count]) => `; ${count} came late for ${table}`).join("");
    notes.push(`${name} read ${done.records} records of ${reads}${late}`);
  }
  return { tables, letters, topics: [...written].map((topic) => logOf(logs, topic)), notes };
}

function runnable(spec: StageSpec): RunnableStage | undefined {
  if (spec.role === "generator") return undefined;
  if (spec.role !== "aggregator")
    throw new NotSupported(`the stage ${spec.name} is a ${spec.role}, which this command does not run: leave it out`);
  const writes = spec.tables.flatMap(({ emit }) => emit?.final.topic ?? []);
  return { name: spec.name, reads: spec.topic, writes, spec };
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
