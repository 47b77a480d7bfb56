/** Fields that are beside a record's value: its key, its headers, where it is and when it was written. */
import { isUtf8 } from "node:buffer";
import { type Field, type FieldPlace, fieldPlace, type TopicConfig } from "@caudal/crds";
import { type OriginalRecord, partitionOf, type Records } from "../kafka/record-block.ts";
import { type Finding, finding } from "@caudal/pipeline/sql";
import { type Column, setNull } from "./columns.ts";

type Beside = Exclude<FieldPlace, { readonly kind: "value" }>;

interface RecordField {
  readonly field: Field;
  readonly place: Beside;
  readonly column: Column | undefined;
}

export class RecordFields {
  readonly #fields: readonly RecordField[];

  /** @param columns by field name, of those whose values are wanted; the others are checked all the same */
  constructor({ fields }: TopicConfig, columns: ReadonlyMap<string, Column>) {
    this.#fields = fields.flatMap((field) => {
      const place = fieldPlace(field);
      return place.kind === "value" ? [] : [{ field, place, column: columns.get(field.name) }];
    });
  }

  /** Reads rows [from, to) of the block into the columns, from row 0 on. @param findings of rows that are no events; more may join */
  read(block: Records, from: number, to: number, findings: Map<number, Finding>): void {
    for (const { field, place, column } of this.#fields)
      for (let row = 0; row < to - from; row++) {
        if (findings.has(row)) continue;
        const value = valueOf(block, from + row, place);
        const problem = put(field, column, row, value);
        if (problem !== undefined) findings.set(row, problem);
      }
  }
}

/** @returns null for what the record lacks; a time in microseconds since 1970 */
function valueOf(block: Records, row: number, place: Beside): number | Buffer | null {
  switch (place.kind) {
    case "partition":
      return partitionOf(block, row);
    case "offset":
      return block.offsets[row] as number;
    case "timestamp": {
      const time = block.timestamps[row] as number;
      return time < 0 ? null : time * 1000;
    }
    case "key":
      return block.original(row).key;
    case "header":
      return headerOf(block.original(row), place.name);
  }
}

/** Of a header that comes several times the last one counts, as for consumers that look one up. */
function headerOf({ headers }: OriginalRecord, name: string): Buffer | null {
  return headers.findLast(([header]) => header === name)?.[1] ?? null;
}

function put(
  { name, nullable }: Field,
  column: Column | undefined,
  row: number,
  value: number | Buffer | null,
): Finding | undefined {
  if (value === null) {
    if (!nullable) return finding("MissingField", `${name} is missing: the record has none`);
    if (column !== undefined) setNull(column, row);
    return undefined;
  }
  if (typeof value === "number") {
    if (column !== undefined) column.values[row] = value;
    return undefined;
  }
  if (!isUtf8(value)) return finding("InvalidText", `${name} is not UTF-8`);
  if (value.includes(0)) return finding("NulInText", `${name} holds the character NUL`);
  if (column?.kind !== "text") return undefined;
  // Memory may grow, and the column's array be another one, while the text is added.
  const code = column.dictionary.code(value.toString("utf8"));
  column.values[row] = code;
  return undefined;
}
