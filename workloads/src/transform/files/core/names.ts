/** Names of files: they say where the events come from, so that no two ever have the same one. */
import { createHash } from "node:crypto";
import type { OutputMove, Source } from "../../output.ts";

export type Format = "parquet" | "jsonl";

/** Who writes: an output of a stage of a pipeline. */
export interface Writer {
  /** `<namespace>/<name>`. */
  readonly pipeline: string;
  readonly stage: string;
  readonly output: string;
}

/** Files that readers do not look at: they have no extension, and their folder no date. */
const STAGED = "_staged";

/** Eight digits that tell outputs and topics of one name apart. */
function hashOf({ pipeline, stage, output }: Writer, { topicId }: Source): string {
  const text = JSON.stringify([pipeline, stage, output, topicId]);
  return createHash("sha256").update(text).digest("hex").slice(0, 8);
}

/** `date=2026-01-31/<topic>-<partition>-<from>-<to>-<hash>.parquet`. @param date YYYY-MM-DD */
export function publishedName(
  writer: Writer,
  source: Source,
  { partition, from, to }: Pick<OutputMove, "partition" | "from" | "to">,
  date: string,
  format: Format,
): string {
  return `date=${date}/${source.topic}-${partition}-${from}-${to}-${hashOf(writer, source)}.${format}`;
}

/** @param id of this one attempt to write it */
export function stagedName(id: string): string {
  return `${STAGED}/${id}`;
}

/** Day of an event in UTC, YYYY-MM-DD. @param time epoch milliseconds */
export function dateOf(time: number): string {
  return new Date(time).toISOString().replace(/T.*/, "");
}

/** Before the names of all files that are published. */
export const PUBLISHED = "date=";

/**
 * Whether a published file holds offsets of the partition that are not behind this one any more: its commit was lost.
 *
 * @param name as it is listed
 * @param next next offset of the partition, as progress says
 */
export function isBeyond(writer: Writer, source: Source, partition: number, next: number, name: string): boolean {
  const file = name.slice(name.lastIndexOf("/") + 1);
  const start = `${source.topic}-${partition}-`;
  if (!file.startsWith(start)) return false;
  const [, from, to, hash] =
    /^([0-9]+)-([0-9]+)-([0-9a-f]{8})\.(?:parquet|jsonl)$/.exec(file.slice(start.length)) ?? [];
  return hash === hashOf(writer, source) && (Number(from) >= next || Number(to) > next);
}
