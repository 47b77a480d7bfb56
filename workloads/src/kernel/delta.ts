import type { TablePlan } from "../sql/plan.ts";
import type { Column } from "./columns.ts";

/** Rows to merge into one table: columns of one length, sorted bytewise by (groups, window_start). */
export interface Delta {
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
  readonly groups: readonly Column[];
  /** One a part, in the order of aggregates and their parts. */
  readonly parts: readonly Column[];
}
