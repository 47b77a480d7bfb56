/** Values of a computed column as JSON, in the scanner's memory: a list of spans, as those of fields are. */
import type { Column, NumberColumn } from "./columns.ts";
import { SLICE_ROWS, SPAN_BYTES } from "./event-reader.ts";
import { type JsonText, jsonText } from "./json-text.ts";
import type { ScanMemory } from "./scan-memory.ts";
import { ScanRoom } from "./scan-room.ts";

const FIRST_BYTES = 64 * 1024;
/** Bytes of UTF-8 that a character of JavaScript's may have. */
const CHARACTER_BYTES = 3;
const CONSTANTS = Buffer.from("falsetruenull");
const [FALSE, TRUE, NULL, END] = [0, 5, 9, 13];

export class ComputedTexts {
  /** Where in memory each row's text begins and ends. */
  readonly spans: number;
  readonly #memory: ScanMemory;
  readonly #column: Column;
  readonly #text: JsonText;
  readonly #constants: number;
  readonly #room: ScanRoom;
  readonly #ends = new Int32Array(SLICE_ROWS);
  #bytes = Buffer.alloc(0);

  constructor(memory: ScanMemory, column: Column, duckdbType: string) {
    this.#memory = memory;
    this.#column = column;
    this.#text = jsonText(duckdbType);
    this.#constants = duckdbType === "BOOLEAN" ? memory.keep(CONSTANTS) : 0;
    this.spans = memory.allocate(SPAN_BYTES * SLICE_ROWS);
    this.#room = new ScanRoom(memory);
  }

  /** Writes the texts of rows of the slice; those of others have no meaning any more. */
  write(rows: Int32Array): void {
    if (this.#constants !== 0 && this.#column.kind === "number") this.#choose(this.#column, rows);
    else this.#write(rows);
  }

  #choose({ values }: NumberColumn, rows: Int32Array): void {
    const { words } = this.#memory;
    const spans = this.spans >>> 2;
    for (const row of rows) {
      const value = values[row] as number;
      const [from, to] = value === 1 ? [TRUE, NULL] : value === 0 ? [FALSE, TRUE] : [NULL, END];
      words[spans + 2 * row] = this.#constants + from;
      words[spans + 2 * row + 1] = this.#constants + to;
    }
  }

  #write(rows: Int32Array): void {
    let at = 0;
    for (let i = 0; i < rows.length; i++) {
      const text = this.#text(this.#column, rows[i] as number);
      const bytes = this.#roomFor(at, CHARACTER_BYTES * text.length);
      this.#ends[i] = at += bytes.write(text, at);
    }
    const base = this.#room.put(this.#bytes.subarray(0, at));
    const { words } = this.#memory;
    const spans = this.spans >>> 2;
    let start = base;
    for (let i = 0; i < rows.length; i++) {
      const place = spans + 2 * (rows[i] as number);
      words[place] = start;
      words[place + 1] = start = base + (this.#ends[i] as number);
    }
  }

  #roomFor(at: number, more: number): Buffer {
    if (at + more > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, 2 * this.#bytes.length, at + more));
      this.#bytes.copy(larger, 0, 0, at);
      this.#bytes = larger;
    }
    return this.#bytes;
  }
}
