import type { TablePlan } from "../sql/plan.ts";
import type { Column } from "./columns.ts";

/** Rows to merge into one table: columns of one length, sorted bytewise by (groups, window_start). */
export interface Delta {
  readonly table: TablePlan;
  readonly rows: number;
  /** Milliseconds since 1970. */
  readonly windowStart: Float64Array;
  /** One a group column. */
  readonly groups: readonly Column[];
  /** One a part, in the order of aggregates and their parts. */
  readonly parts: readonly Column[];
}
