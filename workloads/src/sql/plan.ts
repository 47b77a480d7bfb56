/** A compiled aggregator: what the kernel computes and what PostgreSQL keeps. Pure data, the same on every replica. */

/** How two values of a part become one, in DuckDB over deltas and in PostgreSQL over rows. NULL is the neutral element of each. */
export type Merge = "add" | "least" | "greatest";

export interface Part {
  /** Column in PostgreSQL that keeps the part, and in the delta. */
  readonly column: string;
  readonly postgresType: string;
  readonly merge: Merge;
  /** DuckDB expression over the event's columns that makes the part of one batch. */
  readonly expression: string;
}

export interface AggregateColumn {
  /** Name in the spec, and the column that people see. */
  readonly name: string;
  readonly postgresType: string;
  readonly parts: readonly Part[];
  /** PostgreSQL expression over the parts' columns that gives the value that people see, such as `m_sum / nullif(m_n, 0)`. */
  readonly value: string;
}

export interface GroupColumn {
  readonly name: string;
  readonly expression: string;
  readonly duckdbType: string;
  readonly postgresType: string;
}

export interface TablePlan {
  readonly name: string;
  /** Hash of everything that gives the table its meaning: SQL, window, types, where. */
  readonly hash: string;
  /** Milliseconds. A tumbling window has advance = size. */
  readonly size: number;
  readonly advance: number;
  /** Length of the stored pane: gcd(size, advance) when kept as panes, else size. */
  readonly pane: number;
  /** true: rows are panes and a view of the table's name adds them up; false: rows are windows. */
  readonly panes: boolean;
  readonly where?: string;
  readonly groups: readonly GroupColumn[];
  readonly aggregates: readonly AggregateColumn[];
}

export interface AggregatorPlan {
  /** In the order in which a commit writes them: most groups expected first, so that hot rows are held shortest. */
  readonly tables: readonly TablePlan[];
}

/** A record that cannot become an event. */
export interface BadRow {
  readonly row: number;
  /** CamelCase, one of a documented list, such as MalformedJson. */
  readonly reason: string;
  /** What is wrong, for people; never longer than 512 characters. */
  readonly detail: string;
}

/** An event that came after the watermark had passed the end of its window. */
export interface LateRow {
  readonly row: number;
  /** Tables whose window for it was closed. */
  readonly tables: readonly string[];
}

/** What one block gave. */
export interface BlockResult {
  readonly accepted: number;
  readonly bad: readonly BadRow[];
  readonly late: readonly LateRow[];
  /** Largest event time among the accepted rows, epoch milliseconds. */
  readonly maxEventTime: number | null;
}

/** Rows to merge into one table: column arrays of one length, sorted bytewise by (groups, window_start). */
export interface Delta {
  readonly table: TablePlan;
  readonly rows: number;
  /** ISO 8601 text in UTC, as PostgreSQL reads timestamptz. */
  readonly windowStart: readonly string[];
  /** One array a group column, values as PostgreSQL's text, or null. */
  readonly groups: readonly (readonly (string | null)[])[];
  /** One array a part, in the order of aggregates and their parts. */
  readonly parts: readonly (readonly (string | null)[])[];
}
