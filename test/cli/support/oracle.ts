/** The exact answer for an aggregator on a file: DuckDB's SQL, made from the spec and apart from what the product computes. */
import { DuckDBInstance } from "@duckdb/node-api";
import { type Aggregator, parseDuration, type Topic } from "@caudal/crds";

export type Row = Readonly<Record<string, unknown>>;

/** @returns the rows of each table, ordered by window and groups */
export async function expectedTables(
  file: string,
  topic: Topic,
  { where, tables }: Aggregator,
): Promise<Readonly<Record<string, readonly Row[]>>> {
  const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
  const connection = await instance.connect();
  try {
    await connection.run("set TimeZone = 'UTC'");
    await connection.run(`create table event as ${eventsOf(file, topic)}`);
    const found: Record<string, readonly Row[]> = {};
    for (const table of tables) {
      const condition = [where, table.where].flatMap((text) => (text === undefined ? [] : `(${text})`)).join(" and ");
      const groups = table.groupBy.map((text) => text.replace(/^.* as (\w+)$/, "$1"));
      const selected = [...table.groupBy, ...table.aggregates].join(", ");
      const source = windowed(table.window, topic.timestamp ?? "", condition, table.groupBy);
      const sql = `select ${selected}, window_start, window_end from (${source}) group by ${["window_start", "window_end", ...groups].join(", ")}`;
      const rows = (await connection.runAndReadAll(sql)).getRowObjectsJS();
      found[table.name] = rows.map(comparable);
    }
    return found;
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

const TYPES: Readonly<Record<string, string>> = {
  string: "VARCHAR",
  integer: "INTEGER",
  json: "JSON",
  timestamp: "TIMESTAMP",
};

/** Records with a field that does not cast, or lacks one that is required, are left out. */
function eventsOf(file: string, { fields = [], timestamp }: Topic): string {
  const columns = fields.map(({ name, type }) => {
    const text = `json_extract_string(line, '$."${name}"')`;
    const cast =
      type === "timestamp"
        ? `coalesce(make_timestamp(try_cast(${text} as bigint) * 1000), try_cast(${text} as timestamptz)::timestamp)`
        : `try_cast(${text} as ${TYPES[type] ?? type})`;
    return { name, text, cast };
  });
  const good = fields.map(({ name, nullable }, index) =>
    nullable && name !== timestamp
      ? `("${name}" is not null or ${columns[index]?.text} is null)`
      : `"${name}" is not null`,
  );
  return `select ${fields.map(({ name }) => `"${name}"`).join(", ")} from (
    select line, ${columns.map(({ name, cast }) => `${cast} as "${name}"`).join(", ")}
    from (select column0 as line from read_csv('${file}', columns = {'column0': 'VARCHAR'}, delim = chr(7), quote = '', escape = '', header = false))
    where json_valid(line)) where ${good.join(" and ")}`;
}

type Window = Aggregator["tables"][number]["window"];

function windowed(
  { tumbling, hopping, session }: Window,
  time: string,
  condition: string,
  groups: readonly string[],
): string {
  const events = `select * from event ${condition === "" ? "" : `where ${condition}`}`;
  if (session !== undefined) {
    const gap = `to_milliseconds(${parseDuration(session.gap)})`;
    const over = `over (${groups.length === 0 ? "" : `partition by ${groups.join(", ")} `}order by ${time})`;
    return `select *, min(${time}) over whole as window_start, max(${time}) over whole + ${gap} as window_end from (
      select *, sum(begins) ${over} as session from (
        select *, case when ${time} <= lag(${time}) ${over} + ${gap} then 0 else 1 end as begins from (${events})))
      window whole as (partition by ${[...groups, "session"].join(", ")})`;
  }
  const { size, advance } = { advance: tumbling?.size ?? "", ...(tumbling ?? hopping ?? { size: "" }) };
  const [sizeMs, advanceMs] = [parseDuration(size), parseDuration(advance)];
  const last = `(epoch_ms(${time}) // ${advanceMs}) * ${advanceMs}`;
  return `select *, make_timestamp(start * 1000) as window_start, make_timestamp((start + ${sizeMs}) * 1000) as window_end from (
    select *, ${last} - back * ${advanceMs} as start from (${events}), range(${Math.ceil(sizeMs / advanceMs)}) as hops(back))
    where start + ${sizeMs} > epoch_ms(${time})`;
}

/** Times as ISO text and numbers as numbers; averages of doubles depend on the order of addition in their last digits. */
export function comparable(row: Row): Row {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plain(value)]));
}

function plain(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString();
  if (typeof value === "bigint") return Number(value);
  if (typeof value === "number") return Number(value.toPrecision(10));
  if (typeof value === "string" && /^\d{4}-\d\d-\d\dT[0-9:.]+Z$/.test(value)) return new Date(value).toISOString();
  return value;
}

export function ordered(rows: readonly Row[]): readonly Row[] {
  const key = (row: Row) => JSON.stringify(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)));
  return [...rows].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}
