/**
 * Reading a table in pages, of row versions that were or were not visible at some time before.
 *
 * Every row version carries the number of the transaction that wrote it (xmin). It has 32 bits; the statement's own
 * snapshot tells the upper ones, for no row that it sees is of a later transaction. Very old versions may be taken for
 * ones of up to 2^32 transactions later, which is why what is new is only asked for among rows with a recent timestamp.
 */
import { identifier, qualified } from "../../postgres/core/identifiers.ts";
import type { Layout, Table } from "./table.ts";

export interface PageQuery {
  readonly text: string;
  readonly values: readonly (string | null)[];
}

/** Its own rows and those of its partitions; what only inherits from it is another table. */
export function rowsOf(table: Table): string {
  return table.partitioned ? qualified(table) : `only ${qualified(table)}`;
}

/** Condition over a row version's transaction `xid`, with the values that it needs. */
export interface Visible {
  condition(parameter: (value: string) => string): string;
}

/** Written by transactions from `from` (without: from the first) up to `to`, which is not among them. */
export function writtenBetween(from: string | undefined, to: string): Visible {
  return {
    condition: (parameter) =>
      [
        `v.xid < ${parameter(to)}::text::bigint`,
        ...(from === undefined ? [] : [`v.xid >= ${parameter(from)}::text::bigint`]),
      ].join(" and "),
  };
}

/** Visible in a snapshot, as PostgreSQL writes these, that names subtransactions too. */
export function visibleIn(snapshot: string): Visible {
  return {
    condition: (parameter) => `pg_visible_in_snapshot(v.xid::text::xid8, ${parameter(snapshot)}::text::pg_snapshot)`,
  };
}

/** Number of the transaction that wrote the version, all bits; 1 and 2 are those of initdb and of old servers' frozen rows. */
const XID = `case when t.xmin::text::bigint < 3 then 0
  else s.top - ((s.top - t.xmin::text::bigint) % 4294967296 + 4294967296) % 4294967296 end`;

const TOP = "(select pg_snapshot_xmax(pg_current_snapshot())::text::bigint as top)";

/**
 * @param order columns by which rows are ordered, together unique
 * @param after values of these columns: rows behind them
 * @param from least value of the first of them
 */
export function pageQuery(
  table: Table,
  layout: Layout,
  page: {
    readonly order: readonly string[];
    readonly after: readonly string[] | null;
    readonly from: string | null;
    readonly visible: Visible;
    readonly rows: number;
  },
): PageQuery {
  const values: (string | null)[] = [];
  const parameter = (value: string): string => `$${values.push(value)}`;
  const column = (name: string): string => `t.${identifier(name)}`;
  const order = page.order.map(column);
  const [first = ""] = order;
  const conditions = [
    page.visible.condition(parameter),
    `${first} is not null`,
    ...(page.from === null ? [] : [`${first} >= ${parameter(page.from)}`]),
    ...(page.after === null ? [] : [`(${order.join(", ")}) > (${page.after.map(parameter).join(", ")})`]),
  ];
  const text = `select ${layout.sources.map(({ column: name }) => column(name)).join(", ")}
    from ${TOP} s cross join ${rowsOf(table)} t cross join lateral (select ${XID} as xid) v
    where ${conditions.join(" and ")}
    order by ${order.join(", ")} limit ${page.rows}`;
  return { text, values };
}
