import type { TablePlan } from "@caudal/pipeline/sql";
import type { Column } from "./columns.ts";
import type { Texts } from "./dictionary.ts";

/** Numbers as in a column of a slice. */
export interface NumberValues {
  readonly kind: "number";
  readonly values: Float64Array;
  readonly bigs: ReadonlyMap<number, bigint>;
}

export interface TextValues extends Texts {
  readonly kind: "text";
}

export type DeltaColumn = NumberValues | TextValues;

interface Rows<GroupOrPart> {
  readonly table: TablePlan;
  readonly rows: number;
  /** Milliseconds since 1970. */
  readonly windowStart: Float64Array;
  /** Of a table of sessions alone. No two sessions of a group touch. */
  readonly sessions?: {
    /** Milliseconds since 1970. */
    readonly lastEvent: Float64Array;
    /** Number of the row's group: rows of one group have one, and come one after the other. */
    readonly group: Float64Array;
  };
  /** One a group column. */
  readonly groups: readonly GroupOrPart[];
  /** One a part, in the order of aggregates and their parts. */
  readonly parts: readonly GroupOrPart[];
}

/** Rows to merge into one table: columns of one length, sorted bytewise by (groups, window_start). */
export type Delta = Rows<DeltaColumn>;

/** A delta whose texts are still codes of their columns' dictionaries. */
export type CodedDelta = Rows<Column>;

export function withTexts(delta: CodedDelta): Delta {
  return { ...delta, groups: delta.groups.map(decoded), parts: delta.parts.map(decoded) };
}

function decoded(column: Column): DeltaColumn {
  return column.kind === "text" ? { kind: "text", ...column.dictionary.gather(column.values) } : column;
}
