/** Rows of a block as lines that DuckDB may read: what cannot be read at all is found first and blanked in place. */
import { isUtf8 } from "node:buffer";
import { type RecordBlock, valueAt } from "../kafka/record-block.ts";
import { finding, type Finding } from "../sql/bad-rows.ts";

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const NO_OBJECT = Buffer.from("0");

export class Lines {
  /** By place in the list of rows, why the row is no event. */
  readonly findings = new Map<number, Finding>();
  readonly #block: RecordBlock;
  readonly #rows: readonly number[];
  readonly #lines: Buffer[];

  /** @param rows of the block, in the order of the lines */
  constructor(block: RecordBlock, rows: readonly number[]) {
    this.#block = block;
    this.#rows = rows;
    this.#lines = rows.map((row, place) => this.#line(row, place));
  }

  /** The lines, LF between them: line i is row i of the list. */
  get bytes(): Buffer {
    return Buffer.concat(this.#lines.flatMap((line, place) => (place === 0 ? [line] : [LINE_END, line])));
  }

  /** The records' own times, a line each. */
  get timestamps(): Buffer {
    return Buffer.from(this.#rows.map((row) => this.#block.timestamps[row]).join("\n"));
  }

  get count(): number {
    return this.#rows.length;
  }

  /** Text of a row's value, as DuckDB gets it. */
  text(place: number): string {
    return withoutBreaks(valueAt(this.#block, this.#rows[place] ?? -1) ?? NO_OBJECT).toString("utf8");
  }

  /** Makes the row valid JSON that is no object, and remembers why. */
  blank(place: number, found: Finding): void {
    this.#lines[place] = NO_OBJECT;
    if (!this.findings.has(place)) this.findings.set(place, found);
  }

  #line(row: number, place: number): Buffer {
    const value = valueAt(this.#block, row);
    const found = unreadable(value);
    if (found === undefined && value !== null) return withoutBreaks(value);
    if (found !== undefined) this.findings.set(place, found);
    return NO_OBJECT;
  }
}

function unreadable(value: Buffer | null): Finding | undefined {
  if (value === null) return finding("Tombstone", "the value is null");
  if (value.length === 0) return finding("EmptyValue", "the value is empty");
  return isUtf8(value) ? undefined : finding("InvalidText", "the value is not UTF-8");
}

const LINE_END = Buffer.from([LF]);

/** Breaks inside a value become spaces, which JSON reads alike between tokens. */
function withoutBreaks(value: Buffer): Buffer {
  if (!value.includes(LF) && !value.includes(CR)) return value;
  return Buffer.from(value.map((byte) => (byte === LF || byte === CR ? SPACE : byte)));
}
