/** Changes of rows that were sent as final: they are counted in the row, and sent again. Pure: SQL out. */
import type { Delta, DeltaColumn, TextValues } from "../../kernel/delta.ts";
import type { TablePlan } from "@caudal/pipeline/sql";
import type { Statement } from "../connection.ts";
import { binaryArray, windowStarts } from "./binary-array.ts";
import { outboxLock, PLAN_BY_INDEX, recordColumns, windowsFromPanes } from "./final-rows.ts";
import { groupHash, sameGroup } from "./group-hash.ts";
import { identifier, literal, qualified, storage } from "./identifiers.ts";
import type { Owner } from "./table-decision.ts";
import { milliseconds } from "./table-ddl.ts";
import { firstEnd } from "./window-ends.ts";

/**
 * Statements that follow the upsert of a delta in its transaction.
 *
 * @param final where windows are final, as far as is known: only rows of such are looked at, and of them those that have
 * been put into the outbox are revised
 */
export function revise(owner: Owner, delta: Delta, final: number | null): readonly Statement[] {
  if (final === null) return [];
  const { table } = delta;
  const rows = [...delta.windowStart.keys()].filter(
    (row) => firstEnd(table, delta.windowStart[row] as number) <= final,
  );
  if (rows.length === 0) return [];
  const starts = Float64Array.from(rows, (row) => delta.windowStart[row] as number);
  const groups = table.groups.map((group, index) => binaryArray(group, pick(delta.groups[index], rows)));
  const lock = { text: `${PLAN_BY_INDEX}; select ${outboxLock(owner.pipeline, owner.stage)}` };
  const given = [windowStarts(starts), windowStarts(starts.map((start) => firstEnd(table, start))), ...groups];
  const [update, insert] = table.panes ? [revisePanes(table), sendWindows(table)] : [undefined, reviseRows(table)];
  return [
    lock,
    ...(update === undefined
      ? []
      : [{ name: `revise ${table.name}`, text: update, values: given, writesRows: true as const }]),
    { name: `send ${table.name}`, text: insert, values: [...given, owner.pipeline, owner.stage], writesRows: true },
  ];
}

/** Some of a column's rows, in their order. */
function pick(column: DeltaColumn | undefined, rows: readonly number[]): DeltaColumn {
  if (column === undefined) throw new RangeError("a delta lacks a column");
  if (column.kind === "text") return pickTexts(column, rows);
  const bigs = rows.flatMap((row, at): [number, bigint][] => {
    const big = column.bigs.get(row);
    return big === undefined ? [] : [[at, big]];
  });
  const values = Float64Array.from(rows, (row) => column.values[row] as number);
  return { kind: "number", values, bigs: new Map(bigs) };
}

function pickTexts({ bytes, lengths }: TextValues, rows: readonly number[]): TextValues {
  const picked: Buffer[] = [];
  let [row, at] = [0, 0];
  for (const wanted of rows) {
    for (; row < wanted; row++) at += Math.max(0, lengths[row] as number);
    picked.push(bytes.subarray(at, at + Math.max(0, lengths[row] as number)));
  }
  return {
    kind: "text",
    bytes: Buffer.concat(picked),
    lengths: Int32Array.from(rows, (wanted) => lengths[wanted] as number),
  };
}

/** Late rows `d` and the place `s` up to which the table has been put into the outbox. */
function late(table: TablePlan): string {
  const types = ["timestamptz", "timestamptz", ...table.groups.map(({ postgresType }) => postgresType)];
  const columns = [`"window_start"`, `"#first_end"`, ...table.groups.map(({ name }) => identifier(name))];
  const arrays = types.map((type, index) => `$${index + 1}::${type}[]`);
  return `s as (select c.emitted_end, c.emitted_hash from caudal.claims c where c.table_name = ${literal(table.name)}),
d as (select * from unnest(${arrays.join(", ")}) as d(${columns.join(", ")}))`;
}

function reviseRows(table: TablePlan): string {
  const place = qualified(storage(table));
  return `with ${late(table)},
r as (
  update ${place} as t set "revision" = t."revision" + 1 from d, s
  where t."window_end" = d."#first_end" and ${sameGroup(table, "t", "d")}
    and (t."window_end", ${groupHash(table, "t")}) <= (s.emitted_end, s.emitted_hash)
  returning t.*
)
${insertRecords(table, "r")}`;
}

function revisePanes(table: TablePlan): string {
  return `with ${late(table)}
update ${qualified(storage(table))} as t set "revision" = t."revision" + 1 from d, s
where t."window_start" = d."window_start" and ${sameGroup(table, "t", "d")}
  and (d."#first_end", ${groupHash(table, "d")}) <= (s.emitted_end, s.emitted_hash)`;
}

/** All windows that hold a late pane and have been sent, each once. */
function sendWindows(table: TablePlan): string {
  const groups = table.groups.map(({ name }) => `d.${identifier(name)}`);
  return `with ${late(table)},
w as (
  select distinct ${["e.at as window_end", ...groups].join(", ")}
  from d, s, generate_series(d."#first_end", d."window_start" + ${milliseconds(table.size)}, ${milliseconds(table.advance)}) as e(at)
  where (e.at, ${groupHash(table, "d")}) <= (s.emitted_end, s.emitted_hash)
),
r as (
  select m.* from w, lateral (
    ${windowsFromPanes(table, "w.window_end", sameGroup(table, "p", "w"))}
  ) as m
)
${insertRecords(table, "r")}`;
}

/** Puts the rows of a query into the outbox, in one order. Its last two values are pipeline and stage. */
function insertRecords(table: TablePlan, rows: string): string {
  const at = 2 + table.groups.length;
  return `insert into caudal.outbox (pipeline, stage, table_name, key, value)
select $${at + 1}, $${at + 2}, ${literal(table.name)}, o.key, o.value
from (select ${rows}."window_end" as at, ${groupHash(table, rows)} as hash, ${recordColumns(table, rows)} from ${rows}) as o
order by o.at, o.hash`;
}
