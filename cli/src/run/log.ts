/** Topics in memory: what a stage reads and writes when a pipeline runs on files. */
import type { OriginalRecord, RecordBlock } from "@caudal/workloads/kafka/record-block";

/** Records of one topic from one place. */
export interface Section {
  readonly block: RecordBlock;
  /** Where a row came from, for people, such as `events.jsonl:12`. */
  place(row: number): string;
}

export interface TopicLog {
  readonly topic: string;
  readonly sections: readonly Section[];
}

export function countRecords({ sections }: TopicLog): number {
  return sections.reduce((sum, { block }) => sum + block.count, 0);
}

interface Values {
  readonly topic: string;
  /** Offset of the first record. */
  readonly offset: number;
  /** Epoch milliseconds of a record. */
  readonly time: (row: number) => number;
  /** What is beside the values; without it, nothing. */
  readonly beside?: (row: number) => Beside;
}

/** What a record has beside its value. */
export type Beside = Pick<OriginalRecord, "key" | "headers">;

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** A file of one event a line, without a copy of it. Blank lines are no records. @param name of the file, for places */
export function linesSection(bytes: Buffer, name: string, values: Values): Section {
  const [starts, ends, lines] = [[] as number[], [] as number[], [] as number[]];
  for (let from = 0, line = 1; from < bytes.length; line++) {
    const found = bytes.indexOf(LINE_FEED, from);
    const next = found < 0 ? bytes.length : found;
    const end = next > from && bytes[next - 1] === CARRIAGE_RETURN ? next - 1 : next;
    if (!isBlank(bytes, from, end)) {
      starts.push(from);
      ends.push(end);
      lines.push(line);
    }
    from = next + 1;
  }
  return {
    block: block(bytes, starts, ends, values),
    place: (row) => `${name}:${lines[row] ?? 0}`,
  };
}

/** Values that were made here. @param place of each, for people */
export function valuesSection(list: readonly string[], place: Section["place"], values: Values): Section {
  const buffers = list.map((value) => Buffer.from(value));
  const starts: number[] = [];
  const ends: number[] = [];
  let end = 0;
  for (const { length } of buffers) {
    starts.push(end);
    ends.push((end += length));
  }
  return { block: block(Buffer.concat(buffers), starts, ends, values), place };
}

function isBlank(bytes: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] !== 0x20 && bytes[at] !== 0x09) return false;
  return true;
}

function block(bytes: Buffer, starts: readonly number[], ends: readonly number[], values: Values): RecordBlock {
  const { topic, offset, time, beside = () => ({ key: null, headers: [] }) } = values;
  const count = starts.length;
  return {
    topic,
    partition: 0,
    count,
    nextOffset: offset + count,
    leaderEpoch: 0,
    offsets: Float64Array.from(starts, (_, row) => offset + row),
    timestamps: Float64Array.from(starts, (_, row) => time(row)),
    bytes,
    starts: Int32Array.from(starts),
    ends: Int32Array.from(ends),
    // No keys and no headers: what lies between the lines has no meaning.
    heads: Int32Array.from(starts),
    tails: Int32Array.from(ends),
    traceparents: [],
    original: (row) => ({
      offset: offset + row,
      timestamp: time(row),
      ...beside(row),
      value: Buffer.from(bytes.subarray(starts[row], ends[row])),
    }),
  };
}
