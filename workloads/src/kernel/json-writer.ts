/** Events as JSON objects of the selected columns: fields as they were written, byte for byte, and values that were computed. */
import { copy } from "../kafka/core/copy.ts";
import { type RecordBlock, valueAt } from "../kafka/record-block.ts";
import type { ProjectedColumn } from "../sql/transform-plan.ts";
import type { Column } from "./columns.ts";
import type { GrowingValues } from "./growing.ts";
import { type JsonText, jsonText } from "./json-text.ts";
import { Members } from "./members.ts";

interface Written {
  /** What stands before its value. */
  readonly prefix: Buffer;
  /** Of a field: its place among the members. */
  readonly member: number;
  readonly text: JsonText;
  readonly column: Column | undefined;
}

const CLOSE = 0x7d;
const NULL = Buffer.from("null");

export class JsonWriter {
  readonly #columns: readonly Written[];
  readonly #members: Members;
  readonly #prefixBytes: number;
  /** How often one field is selected at most. */
  readonly #repeats: number;

  /** @param columnOf the column of an expression, by its name in the select */
  constructor(columns: readonly ProjectedColumn[], columnOf: (name: string) => Column | undefined) {
    const selected = columns.filter(({ isField }) => isField).map(({ expression }) => expression);
    const fields = [...new Set(selected)];
    this.#repeats = Math.max(1, ...fields.map((field) => selected.filter((one) => one === field).length));
    this.#members = new Members(fields);
    this.#columns = columns.map(({ name, isField, expression, duckdbType }, index) => ({
      prefix: Buffer.from(`${index === 0 ? "{" : ","}${JSON.stringify(name)}:`),
      member: isField ? fields.indexOf(expression) : -1,
      text: jsonText(duckdbType),
      column: isField ? undefined : columnOf(name),
    }));
    this.#prefixBytes = this.#columns.reduce((sum, { prefix }) => sum + prefix.length + NULL.length, 1);
  }

  /**
   * Adds rows of the slice that begins at row `from` of its block.
   *
   * @param rows of the slice, each an event
   */
  write(block: RecordBlock, from: number, rows: Int32Array, values: GrowingValues): void {
    const { starts, ends } = this.#members;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] as number;
      const start = block.starts[from + row] as number;
      const end = block.ends[from + row] as number;
      this.#members.find(block.bytes, start, end);
      // Fields have no more bytes than the value together.
      let target = values.room(this.#prefixBytes + (end - start) * this.#repeats);
      const begin = values.at;
      let at = begin;
      for (const { prefix, member, text, column } of this.#columns) {
        copy(prefix, 0, prefix.length, target, at);
        at += prefix.length;
        if (column === undefined) {
          const valueStart = starts[member] as number;
          const [source, first, last] =
            valueStart < 0 ? [NULL, 0, NULL.length] : [block.bytes, valueStart, ends[member] as number];
          copy(source, first, last, target, at);
          at += last - first;
        } else {
          const written = text(column, row);
          values.at = at;
          target = values.room(3 * written.length + this.#prefixBytes + (end - start) * this.#repeats);
          at += target.write(written, at);
        }
      }
      target[at++] = CLOSE;
      values.at = at;
      values.end(begin);
    }
  }
}

/** Adds the values of rows as they are. */
export function writeUntouched(block: RecordBlock, from: number, rows: Int32Array, values: GrowingValues): void {
  for (const row of rows) {
    const value = valueAt(block, from + row);
    if (value === null) values.addNull();
    else values.add(block.bytes, block.starts[from + row] as number, block.ends[from + row] as number);
  }
}
