/**
 * Writes events that passed as they go on: as JSON objects of the selected columns (fields as they were written, byte for
 * byte, and values that were computed) or as they came; the values alone, or whole records. WebAssembly does it, from where
 * the values lie: see workloads/assembly/write.ts.
 */
import type { JsonPath } from "@caudal/crds";
import { documentForm } from "@caudal/pipeline/json";
import type { ProjectedColumn } from "@caudal/pipeline/sql";
import type { Column } from "./columns.ts";
import { ComputedTexts } from "./computed-texts.ts";
import { type EventReader, SLICE_ROWS, SPAN_BYTES } from "./event-reader.ts";
import type { GrowingList, GrowingValues } from "./growing.ts";
import type { ScanMemory } from "./scan-memory.ts";
import { ScanRoom } from "./scan-room.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

export interface RowForm {
  /** Of the values; none where events go on as they came. */
  readonly columns: readonly ProjectedColumn[];
  /** Where in the JSON each column's value is. */
  readonly paths: readonly JsonPath[];
  /** The column whose text becomes the records' key; undefined where they keep their own. */
  readonly key: ProjectedColumn | undefined;
}

/** Fields that are written: as they came, or, of those beside the records' values, as values that were computed. */
export function writtenFields({ columns, key }: RowForm): readonly string[] {
  const fields = [...columns, ...(key === undefined ? [] : [key])].filter(({ isField }) => isField);
  return [...new Set(fields.map(({ expression }) => expression))];
}

export class RowWriter {
  readonly #events: EventReader;
  readonly #computed = new Map<string, ComputedTexts>();
  readonly #keys: Keys | undefined;
  readonly #rows: number;
  readonly #written: number;
  readonly #hashes: number;

  /**
   * @param events locates the form's fields, but those beside the records' values, of which it has columns
   * @param columnOf the column of an expression, by its name in the select
   */
  constructor(events: EventReader, { columns, paths, key }: RowForm, columnOf: (name: string) => Column | undefined) {
    this.#events = events;
    const { memory } = events;
    for (const written of [...columns, ...(key === undefined ? [] : [key])]) {
      const { name, duckdbType } = written;
      const column = this.#isLocated(written) || this.#computed.has(name) ? undefined : columnOf(name);
      if (column !== undefined) this.#computed.set(name, new ComputedTexts(memory, column, duckdbType));
    }
    this.#rows = memory.allocate(4 * SLICE_ROWS);
    this.#written = memory.allocate(4 * SLICE_ROWS);
    this.#hashes = memory.allocate(4 * SLICE_ROWS);
    this.#keys = key === undefined ? undefined : new Keys(events, this.#spansOf(key), this.#isLocated(key));
    const { order, prefixes, end } = documentForm(paths);
    const blocks = order.flatMap((place, index) => {
      const prefix = Buffer.from(prefixes[index] ?? "");
      const column = columns[place];
      return column === undefined ? [] : [memory.keep(prefix), prefix.length, this.#spansOf(column)];
    });
    const close = Buffer.from(end);
    const { starts, ends, heads, tails } = events.slice;
    const described = keepWords(memory, blocks);
    const lists = [this.#rows, starts, ends, heads, tails, this.#written, this.#hashes];
    memory.exports.openRows(keepWords(memory, [described, columns.length, ...lists, memory.keep(close), close.length]));
  }

  /** Adds the values of rows of the slice that was read last, each an event. */
  writeValues(rows: Int32Array, values: GrowingValues): void {
    this.#prepare(rows);
    const { memory, slice } = this.#events;
    this.#take(memory.exports.writeValues(rows.length, slice.base), rows.length, values);
  }

  /** Adds the same rows as records: see {@link EncodedRecords}. */
  writeRecords(rows: Int32Array, values: GrowingValues, hashes: GrowingList<Int32Array>): void {
    this.#prepare(rows);
    const keys = this.#keys?.spansOf(rows) ?? 0;
    const { memory, slice } = this.#events;
    this.#take(memory.exports.writeRecords(rows.length, slice.base, keys), rows.length, values);
    const written = memory.words.subarray(this.#hashes >>> 2, (this.#hashes >>> 2) + rows.length);
    hashes.room(rows.length).set(written, hashes.length);
    hashes.length += rows.length;
  }

  #prepare(rows: Int32Array): void {
    for (const texts of this.#computed.values()) texts.write(rows);
    this.#events.memory.words.set(rows, this.#rows >>> 2);
  }

  #take(first: number, count: number, values: GrowingValues): void {
    const { bytes, words } = this.#events.memory;
    const ends = words.subarray(this.#written >>> 2, (this.#written >>> 2) + count);
    values.addAll(bytes.subarray(first, first + (ends.at(-1) ?? 0)), ends);
  }

  #spansOf(column: ProjectedColumn): number {
    const { name, expression } = column;
    const spans = this.#isLocated(column) ? this.#events.spans.get(expression) : this.#computed.get(name)?.spans;
    if (spans === undefined) throw new TypeError(`no values of ${name}`);
    return spans;
  }

  /** Whether its values are in the records, as they came. */
  #isLocated({ isField, expression }: ProjectedColumn): boolean {
    return isField && this.#events.spans.has(expression);
  }
}

function keepWords(memory: ScanMemory, words: readonly number[]): number {
  return memory.keep(new Uint8Array(Uint32Array.from(words).buffer));
}

/** Spans of the keys' JSON, with nothing between its quotes that is escaped. */
class Keys {
  readonly #events: EventReader;
  readonly #spans: number;
  readonly #isField: boolean;
  /** The same spans, but for keys that had escapes. */
  readonly #own: number;
  readonly #room: ScanRoom;

  /** @param spans of the column's values @param isField whether these are as they were written */
  constructor(events: EventReader, spans: number, isField: boolean) {
    this.#events = events;
    this.#spans = spans;
    this.#isField = isField;
    this.#own = events.memory.allocate(SPAN_BYTES * SLICE_ROWS);
    this.#room = new ScanRoom(events.memory);
  }

  spansOf(rows: Int32Array): number {
    const escaped = this.#escaped(rows);
    if (escaped.length === 0) return this.#spans;
    const { memory } = this.#events;
    const texts = escaped.map(({ text }) => Buffer.from(text));
    let at = this.#room.put(Buffer.concat(texts));
    const { words } = memory;
    words.copyWithin(this.#own >>> 2, this.#spans >>> 2, (this.#spans + SPAN_BYTES * SLICE_ROWS) >>> 2);
    for (const [i, { row }] of escaped.entries()) {
      words[(this.#own >>> 2) + 2 * row] = at;
      words[(this.#own >>> 2) + 2 * row + 1] = at += texts[i]?.length ?? 0;
    }
    return this.#own;
  }

  /** The scanner takes no text with escapes. @returns the text between quotes, as it is to be the key */
  #escaped(rows: Int32Array): readonly { readonly row: number; readonly text: string }[] {
    const undecided = new Set(this.#events.undecided);
    if (this.#isField && undecided.size === 0) return [];
    const { bytes, words } = this.#events.memory;
    const found: { row: number; text: string }[] = [];
    for (const row of rows) {
      if (this.#isField && !undecided.has(row)) continue;
      const from = words[(this.#spans >>> 2) + 2 * row] as number;
      const to = words[(this.#spans >>> 2) + 2 * row + 1] as number;
      if (bytes[from] !== QUOTE || !bytes.subarray(from, to).includes(BACKSLASH)) continue;
      const json = Buffer.from(bytes.buffer, from, to - from).toString("utf8");
      found.push({ row, text: `"${JSON.parse(json) as string}"` });
    }
    return found;
  }
}
