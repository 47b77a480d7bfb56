/** Rows of a lookup by their keys, where equality is plain to see without DuckDB: of texts, UUIDs and whole numbers. */
import type { Column } from "../kernel/columns.ts";
import { NULL_CODE } from "../kernel/dictionary.ts";
import type { LookupPlan } from "@caudal/pipeline/sql";

/** Texts of the columns that are matched, then of the others; null for NULL. */
export type Row = readonly (string | null)[];

/** A value's text, the same for equal values; undefined where that is not certain, null for NULL. */
type Normal = (text: string) => string | undefined;

const WHOLE = /^(0|-?[1-9][0-9]{0,14})$/;
const normals: Readonly<Record<string, Normal>> = {
  VARCHAR: (text) => text,
  UUID: (text) => text.replace(/[{}-]/g, "").toLowerCase(),
  ...Object.fromEntries(
    ["TINYINT", "SMALLINT", "INTEGER", "BIGINT"].map((type) => [
      type,
      (text: string) => (WHOLE.test(text) ? text : undefined),
    ]),
  ),
};

interface Key {
  readonly field: string;
  readonly normal: Normal;
}

export class KeyedRows {
  readonly #keys: readonly Key[];
  readonly #rows: ReadonlyMap<string, Row>;

  private constructor(keys: readonly Key[], rows: ReadonlyMap<string, Row>) {
    this.#keys = keys;
    this.#rows = rows;
  }

  /** @param rows that DuckDB has taken, with no key twice @returns undefined where some key's equality is DuckDB's to say */
  static from({ on }: LookupPlan, rows: readonly Row[]): KeyedRows | undefined {
    const keys: Key[] = [];
    for (const { field, duckdbType } of on) {
      const normal = normals[duckdbType];
      if (normal === undefined) return undefined;
      keys.push({ field, normal });
    }
    const byKey = new Map<string, Row>();
    for (const row of rows) {
      const texts = row.slice(0, keys.length);
      if (texts.includes(null)) continue;
      const normal = keys.map((key, index) => key.normal(texts[index] ?? ""));
      if (normal.includes(undefined)) return undefined;
      byKey.set(JSON.stringify(normal), row);
    }
    return new KeyedRows(keys, byKey);
  }

  /** Of each event, its row, undefined where it has none. @returns undefined where a value's equality is DuckDB's to say */
  of(fields: ReadonlyMap<string, Column>, rows: Int32Array): readonly (Row | undefined)[] | undefined {
    const found: (Row | undefined)[] = [];
    for (const row of rows) {
      const texts = this.#keys.map(({ field }) => textAt(fields.get(field), row));
      if (texts.includes(undefined)) return undefined;
      const normal = this.#keys.map((key, index) => {
        const text = texts[index] ?? null;
        return text === null ? null : key.normal(text);
      });
      if (normal.includes(undefined)) return undefined;
      found.push(normal.includes(null) ? undefined : this.#rows.get(JSON.stringify(normal)));
    }
    return found;
  }
}

/** @returns null for NULL, undefined for what has no plain text */
function textAt(column: Column | undefined, row: number): string | null | undefined {
  if (column === undefined) return undefined;
  const value = column.values[row] as number;
  if (column.kind === "text") return value === NULL_CODE ? null : column.dictionary.text(value);
  if (Number.isNaN(value)) return null;
  return Number.isSafeInteger(value) ? String(value) : undefined;
}
