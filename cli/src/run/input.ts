/** What topics hold before any stage runs: files, standard input, and what generators make. */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { buffer } from "node:stream/consumers";
import { type Generator, parseDuration, type PipelineSpec } from "@caudal/crds";
import { topicConfig } from "@caudal/pipeline";
import { eventMaker } from "@caudal/workloads/generator/core/event";
import { FileInvalid, UsageError } from "../errors.ts";
import { countRecords, linesSection, type Section, type TopicLog, valuesSection } from "./log.ts";

export interface InputFile {
  readonly topic: string;
  /** `-` is standard input. */
  readonly file: string;
}

/** Offsets of rows are 32-bit numbers. */
const MAX_BYTES = 2 ** 31 - 1;

/**
 * @param given as written after --input: `FILE`, or `TOPIC=FILE`
 * @param sources topics that stages read and that nothing of the pipeline but generators writes
 * @throws UsageError where it is not clear which topic a file is for
 */
export function readInputs(given: readonly string[], spec: PipelineSpec, sources: readonly string[]): InputFile[] {
  const inputs = given.map((text): InputFile => {
    const at = text.indexOf("=");
    const topic = text.slice(0, Math.max(0, at));
    if (spec.topics.some(({ name }) => name === topic)) return { topic, file: text.slice(at + 1) };
    const [only, ...others] = sources;
    if (only !== undefined && others.length === 0) return { topic: only, file: text };
    throw new UsageError(
      only === undefined
        ? "no stage of the pipeline reads a topic: there is nothing to run"
        : `the pipeline reads ${sources.join(", ")}: write --input TOPIC=FILE, such as --input ${only}=${text}`,
    );
  });
  if (inputs.filter(({ file }) => file === "-").length > 1)
    throw new UsageError("standard input can be read once: write --input - for one topic");
  return inputs;
}

/** @param time epoch milliseconds that the records are given */
export async function fileSection({ topic, file }: InputFile, offset: number, time: number): Promise<Section> {
  const bytes = await readBytes(file);
  if (bytes.length > MAX_BYTES)
    throw new FileInvalid(`${file} has ${bytes.length} bytes: split it, 2 GiB are the most`);
  return linesSection(bytes, file === "-" ? "stdin" : basename(file), { topic, offset, time: () => time });
}

/**
 * The first events of a generator, as if it had made the last of them at that time.
 *
 * @param count how many, unless its limit is less
 */
export function generatedSection(
  spec: PipelineSpec,
  generator: Generator,
  { count, offset, time }: { readonly count: number; readonly offset: number; readonly time: number },
): Section {
  const { name, topic, limit, interval, rate } = generator;
  const events = limit > 0 ? Math.min(limit, count) : count;
  const make = eventMaker({ ...generator, topic: topicConfig(spec, topic) });
  const everyMs = interval === undefined ? 1_000 / (rate ?? 1) : parseDuration(interval) / generator.count;
  const timeOf = (event: number) => Math.round(time - (events - 1 - event) * everyMs);
  const made = Array.from({ length: events }, (_, event) => make(event, timeOf(event)));
  const beside = (row: number) => {
    const key = made[row]?.key ?? null;
    return { key: key === null ? null : Buffer.from(key), headers: [] };
  };
  const values = made.map(({ value }) => value);
  return valuesSection(values, (row) => `${name}:${row + 1}`, { topic, offset, time: timeOf, beside });
}

export function append(logs: Map<string, TopicLog>, topic: string, section: (offset: number) => Section): void {
  const log = logOf(logs, topic);
  logs.set(topic, { topic, sections: [...log.sections, section(countRecords(log))] });
}

export function logOf(logs: ReadonlyMap<string, TopicLog>, topic: string): TopicLog {
  return logs.get(topic) ?? { topic, sections: [] };
}

async function readBytes(file: string): Promise<Buffer> {
  try {
    return file === "-" ? await buffer(process.stdin) : await readFile(file);
  } catch (error) {
    throw new FileInvalid(`cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}
