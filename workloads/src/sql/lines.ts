/** A block's lines as DuckDB may read them: what cannot be read at all is found first and blanked in place. */
import { isUtf8 } from "node:buffer";
import type { RecordBlock } from "../kafka/record-block.ts";
import { ValueKind } from "../kafka/record-block.ts";
import { finding, type Finding } from "./bad-rows.ts";

const LF = 0x0a;
const SPACE = 0x20;
const ZERO = 0x30;

/** Rows [from, to) of a block. */
export interface Slice {
  readonly block: RecordBlock;
  readonly from: number;
  readonly to: number;
}

/** Where row `row` begins in the block's lines. */
export function lineStart(block: RecordBlock, row: number): number {
  return row === 0 ? 0 : (block.lineEnds[row - 1] ?? 0);
}

/** Text of a row's value as it was read, without its LF. */
export function lineText(block: RecordBlock, row: number): string {
  return block.lines.toString("utf8", lineStart(block, row), (block.lineEnds[row] ?? 1) - 1);
}

/** The slice's lines, without the last LF, and what is known of its rows before DuckDB looks. */
export class Lines {
  readonly slice: Slice;
  readonly findings = new Map<number, Finding>();
  #bytes: Buffer;
  #owned = false;

  constructor(slice: Slice) {
    const { block, from, to } = slice;
    this.slice = slice;
    this.#bytes = block.lines.subarray(lineStart(block, from), lineStart(block, to) - 1);
    for (let row = from; row < to; row += 1) {
      if (block.kinds[row] === ValueKind.Empty) this.findings.set(row, finding("EmptyValue", "the value is empty"));
      if (block.kinds[row] === ValueKind.Null) this.findings.set(row, finding("Tombstone", "the value is null"));
    }
    if (!isUtf8(this.#bytes)) this.#blankInvalidText();
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Makes the row valid JSON that is no object, and remembers why. */
  blank(row: number, found: Finding): void {
    const { block, from } = this.slice;
    if (!this.#owned) {
      this.#bytes = Buffer.from(this.#bytes);
      this.#owned = true;
    }
    const base = lineStart(block, from);
    const [start, end] = [lineStart(block, row) - base, (block.lineEnds[row] ?? 0) - 1 - base];
    this.#bytes.fill(SPACE, start, end);
    this.#bytes[start] = ZERO;
    if (!this.findings.has(row)) this.findings.set(row, found);
  }

  #blankInvalidText(): void {
    const { block, from, to } = this.slice;
    for (let row = from; row < to; row += 1) {
      const line = block.lines.subarray(lineStart(block, row), (block.lineEnds[row] ?? 1) - 1);
      if (!isUtf8(line)) this.blank(row, finding("InvalidText", "the value is not UTF-8"));
    }
  }
}

/** The records' own times as lines of digits. */
export function timestampLines({ block, from, to }: Slice): Buffer {
  return Buffer.from(block.timestamps.subarray(from, to).join(String.fromCharCode(LF)));
}

/** Cuts rows [from, to) into slices that DuckDB can hold at once. */
export function slices(
  block: RecordBlock,
  from: number,
  to: number,
  maxRows: number,
  maxBytes: number,
): readonly Slice[] {
  const cut: Slice[] = [];
  let start = from;
  for (let row = from; row < to; row += 1) {
    const bytes = (block.lineEnds[row] ?? 0) - lineStart(block, start);
    if (row > start && (bytes > maxBytes || row - start >= maxRows)) {
      cut.push({ block, from: start, to: row });
      start = row;
    }
  }
  if (to > start) cut.push({ block, from: start, to });
  return cut;
}
