/** A compiled aggregator: what the kernel computes and what PostgreSQL keeps. Pure data, the same on every replica. */

/** How two values of a part become one, in DuckDB over deltas and in PostgreSQL over rows. NULL is the neutral element of each. */
export type Merge = "add" | "least" | "greatest";

/** The aggregates from which every part is made. */
export type PartFunction = "count" | "sum" | "min" | "max";

export interface Part {
  /** Column in PostgreSQL that keeps the part, and in the delta. */
  readonly column: string;
  readonly postgresType: string;
  /** Type of the part in DuckDB, such as HUGEINT for a sum of integers. */
  readonly duckdbType: string;
  readonly merge: Merge;
  readonly function: PartFunction;
  /** DuckDB expression over one event's columns; `function` over the events that it is not NULL for is the part. */
  readonly expression: string;
}

export interface AggregateColumn {
  /** Name in the spec, and the column that people see. */
  readonly name: string;
  /** `text` is compared bytewise: give the column COLLATE "C". */
  readonly postgresType: string;
  /** One part of the same name (count, min, max), or hidden ones: `_<name>_s` is a sum, `_<name>_n` its non-null count. */
  readonly parts: readonly Part[];
  /** PostgreSQL expression over the parts' columns that gives the value that people see; immutable, fit for a stored generated column. */
  readonly value: string;
}

export interface GroupColumn {
  readonly name: string;
  /** DuckDB expression over one event; a field alone may be in quotes. */
  readonly expression: string;
  readonly duckdbType: string;
  /** `text` is compared bytewise: give the column COLLATE "C". */
  readonly postgresType: string;
}

export interface TablePlan {
  /** The table's title: its one spelling, with its schema where that is not public. */
  readonly name: string;
  /** Hash of everything that gives the table its meaning: SQL, window, types, where. */
  readonly hash: string;
  /** What the hash is of, in JSON: to say in what two definitions differ. */
  readonly meaning?: string;
  /** Milliseconds. A tumbling window has advance = size. */
  readonly size: number;
  readonly advance: number;
  /** Length of the stored pane: gcd(size, advance) when kept as panes, else size. */
  readonly pane: number;
  /** true: rows are panes and a view of the table's name adds them up; false: rows are windows. */
  readonly panes: boolean;
  /**
   * Milliseconds between two neighbouring events of one session at most; only where rows are sessions. Size, advance and
   * pane are the gap too: what a session of one event lasts.
   */
  readonly gap?: number;
  readonly where?: string;
  readonly groups: readonly GroupColumn[];
  readonly aggregates: readonly AggregateColumn[];
  /** Fields of the event that the table's SQL reads. */
  readonly fields: readonly string[];
  /** Those of them that its condition and its expressions read: all but fields that stand alone. */
  readonly inputs: readonly string[];
  /** Milliseconds that rows stay after the end of their window; for ever without. No part of the table's meaning. */
  readonly retention?: number;
  /** Where rows go when their window is final. No part of the table's meaning. */
  readonly emit?: Emission;
}

export interface Emission {
  readonly topic: string;
  /** Whether changes of final rows follow as revisions; without it, nothing changes them. */
  readonly revisions: boolean;
}

export interface AggregatorPlan {
  /** Events for which this is not true are left out of all tables. */
  readonly where?: string;
  /** Fields of the event that `where` reads. */
  readonly fields: readonly string[];
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

/** An event that was left out for tables because the last window that holds it is closed or no longer kept. */
export interface LateRow {
  readonly row: number;
  /** Tables that left it out. */
  readonly tables: readonly string[];
}

/** What one block gave one table. */
export interface TableCount {
  readonly table: string;
  /** Events that are in the table's delta: its conditions hold and it was not left out as late. */
  readonly counted: number;
  /** Events for which the window was closed, whatever the policy did with them. */
  readonly late: number;
}

/** What one block gave. */
export interface BlockResult {
  /** Records that became events, those that a `where` leaves out among them. records = accepted + bad. */
  readonly accepted: number;
  readonly bad: readonly BadRow[];
  /** In order of rows; under the policy Update, only what is older than what the table keeps. */
  readonly late: readonly LateRow[];
  /** One entry a table, in the plan's order. */
  readonly tables: readonly TableCount[];
  /** Largest event time among the accepted rows, epoch milliseconds. */
  readonly maxEventTime: number | null;
}
