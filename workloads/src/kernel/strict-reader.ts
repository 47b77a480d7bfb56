/** From JSON to columns, one record after the other: the judge of all rows that the scanner is not certain of. */
import { pathOf, type TopicConfig } from "@caudal/crds";
import { NULL_VALUE, type Records } from "../kafka/record-block.ts";
import { FieldReader, isFinding, JsonReader } from "@caudal/pipeline/json";
import { type Finding, finding } from "@caudal/pipeline/sql";
import { type Column, type NumberColumn, setInteger, setNull } from "./columns.ts";

/** Where the values of a row's fields are in the block's bytes, by place of the field; -1 where the record lacks one. */
export interface Located {
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** Whether an object of the record has a key twice, so that its bytes may be read in two ways. */
  readonly repeats: boolean;
}

interface StrictField {
  readonly name: string;
  readonly reader: FieldReader;
  readonly column: Column | undefined;
  readonly nullable: boolean;
  readonly isTime: boolean;
}

const MISSING = "missing";
const NULL = "null";
const LETTER_N = 0x6e;

export class StrictReader {
  readonly #json: JsonReader;
  readonly #fields: readonly StrictField[];
  readonly #timeMs: NumberColumn;

  /**
   * @param topic with fields that are in the JSON, and no others
   * @param columns by field name, for those whose values are wanted; the others are checked all the same
   * @param timeMs gets the event times where a field holds them: whole milliseconds, downwards
   */
  constructor({ fields, timestamp }: TopicConfig, columns: ReadonlyMap<string, Column>, timeMs: NumberColumn) {
    this.#timeMs = timeMs;
    this.#json = new JsonReader(fields.map((field) => pathOf(field) ?? [field.name]));
    this.#fields = fields.map((field) => {
      const { name, nullable } = field;
      const isTime = name === timestamp;
      return {
        ...{ name, isTime, nullable: nullable && !isTime },
        ...{ reader: new FieldReader(field), column: columns.get(name) },
      };
    });
  }

  /**
   * Decides rows of a slice that begins at row `from` of its block, and reads the good ones into the columns.
   *
   * @param rows counted from the slice's first
   * @param located is told of each good row before the next one is read
   * @returns why the others are no events
   */
  read(
    block: Records,
    from: number,
    rows: readonly number[],
    located?: (row: number, values: Located) => void,
  ): Map<number, Finding> {
    const findings = new Map<number, Finding>();
    for (const row of rows) {
      const found = this.#readRow(block, from + row, row);
      if (found !== undefined) findings.set(row, found);
      else located?.(row, this.#json);
    }
    return findings;
  }

  /** @param to row of the columns */
  #readRow({ bytes, starts, ends }: Records, row: number, to: number): Finding | undefined {
    const end = ends[row] ?? NULL_VALUE;
    if (end === NULL_VALUE) return finding("Tombstone", "the value is null");
    const found = this.#json.read(bytes, starts[row] ?? 0, end);
    if (found !== undefined) return found;
    for (const [place, field] of this.#fields.entries()) {
      const problem = this.#readField(bytes, place, field, to);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  #readField(bytes: Buffer, place: number, field: StrictField, row: number): Finding | undefined {
    const { name, reader, column, nullable, isTime } = field;
    const start = this.#json.starts[place] as number;
    if (start < 0 || bytes[start] === LETTER_N) {
      if (!nullable) return finding("MissingField", `${name} is ${start < 0 ? MISSING : NULL}`);
      if (column !== undefined) setNull(column, row);
      return undefined;
    }
    const value = reader.read(bytes.toString("utf8", start, this.#json.ends[place]));
    if (isFinding(value)) return value;
    if (isTime) this.#timeMs.values[row] = wholeMs(BigInt(value));
    if (column === undefined) return undefined;
    if (typeof value === "bigint" && column.kind === "number") setInteger(column, row, value);
    else if (typeof value === "number") column.values[row] = value;
    else if (column.kind === "text") {
      // Memory may grow, and the column's array be another one, while the text is added.
      const code = column.dictionary.code(String(value));
      column.values[row] = code;
    }
    return undefined;
  }
}

/** Whole milliseconds, downwards: a watermark may be late, never early. */
function wholeMs(micros: bigint): number {
  const rest = ((micros % 1000n) + 1000n) % 1000n;
  return Number((micros - rest) / 1000n);
}
