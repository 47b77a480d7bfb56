/** The prepared statements that merge new sessions with the stored ones that they touch. Pure: SQL out. */
import type { Delta } from "../../kernel/delta.ts";
import type { TablePlan } from "@caudal/pipeline/sql";
import { binaryArray, windowStarts } from "./binary-array.ts";
import { identifier, qualified, storage } from "./identifiers.ts";
import { groupHash } from "./group-hash.ts";
import { groupLocks } from "./session-groups.ts";
import { mergedPart, milliseconds, uniqueParts } from "./table-ddl.ts";
import { groupArrays, partArrays, type UpsertStatement } from "./upsert.ts";

const NUMBER = { postgresType: "integer", duckdbType: "INTEGER" };

export function mergeSessions(delta: Delta, sessions: NonNullable<Delta["sessions"]>): readonly UpsertStatement[] {
  const { table, windowStart } = delta;
  const groups = groupArrays(delta);
  const numbers = binaryArray(NUMBER, { kind: "number", values: sessions.group, bigs: new Map() });
  return [
    { name: "plan by index", text: planByIndex, values: [], writesRows: true },
    { name: `lock ${table.name}`, text: lockGroupsText(table), values: groups, writesRows: true },
    {
      name: `merge ${table.name}`,
      text: mergeSessionsText(table),
      values: [windowStarts(windowStart), windowStarts(sessions.lastEvent), numbers, ...groups, ...partArrays(delta)],
      writesRows: true,
    },
  ];
}

/** A plan that was made while the table was small must not read all of it when it is large; JIT costs more than it gives. */
const planByIndex = `select set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
  set_config('jit', 'off', true)`;

/** Locks the group's rows in the order of their numbers, and makes those that are not there. */
export function lockGroupsText(table: TablePlan): string {
  const given = table.groups.map(({ name }) => identifier(name)).join(", ");
  const types = table.groups.map(({ postgresType }, index) => `$${index + 1}::${postgresType}[]`).join(", ");
  const numbers =
    table.groups.length === 0
      ? groupHash(table)
      : `distinct ${groupHash(table, "d")} from unnest(${types}) as d(${given}) order by 1`;
  // A condition that never holds: rows that are there are locked, and none is written.
  return `insert into ${groupLocks(table)} as l (hash) select ${numbers}
on conflict (hash) do update set hash = l.hash where false`;
}

/**
 * Sessions touch when the later one begins at most a gap after the last event of the earlier one, which is when it
 * begins at or before its end. Stored sessions of a group do not touch: when the last one that begins before a new one
 * ends does not touch it, none does, and when it begins first, no other does. Each is found for the first new session
 * that it touches. Cost is by touched sessions.
 */
export function mergeSessionsText(table: TablePlan): string {
  const groups = table.groups.map(({ name }) => identifier(name));
  const parts = uniqueParts(table);
  const columns = parts.map(({ column }) => identifier(column));
  const key = ["window_start", ...table.groups.map(({ name }) => name)].map(identifier);
  const given = ['"window_start"', '"#last"', '"#group"', ...groups, ...columns];
  const types = [
    ...["timestamptz", "timestamptz", "int"],
    ...table.groups.map(({ postgresType }) => postgresType),
    ...parts.map(({ postgresType }) => postgresType),
  ];
  const place = qualified(storage(table));
  const values = ['"window_start"', '"window_end"', ...groups, ...columns, '"revision"'];
  const sameGroup = [
    ...(groups.length === 0 ? [] : [`${groupHash(table, "t")} = d."#hash"`]),
    ...groups.map((group) => `t.${group} is not distinct from d.${group}`),
  ].map((condition) => `${condition} and `);
  const stored = (upTo: string) => `select t.ctid as "#at", ${values.map((value) => `t.${value}`).join(", ")}
    from ${place} t where ${sameGroup.join("")}t."window_start" ${upTo}`;
  const last = (upTo: string) => `${stored(`<= ${upTo}`)} order by t."window_start" desc limit 1`;
  const inOrder = `over (partition by "#group" order by "window_start"`;
  return `with given as materialized (
  select *, "#last" + ${milliseconds(table.size)} as "window_end", ${groupHash(table, "u")} as "#hash",
    lag("#last") ${inOrder}) + ${milliseconds(table.size)} as "#earlier"
  from unnest(${types.map((type, index) => `$${index + 1}::${type}[]`).join(", ")}) as u(${given.join(", ")})
), nearest as materialized (
  select d."#group", d."#hash", d."#earlier", d."window_start" as "#from", s.* from given d cross join lateral (
    ${last('d."window_end"')}) s
  where s."window_end" >= d."window_start"
), others as (
  select d."#group", s.* from nearest d cross join lateral (
    (${stored('> d."#from"')} and t."window_start" < d."window_start" offset 0)
    union all
    select * from (
    ${last('d."#from"')}) p
    where p."window_end" >= d."#from" and (d."#earlier" is null or p."window_start" > d."#earlier")) s
  where d."window_start" > d."#from"
), pieces as (
  select "#group", "#at", ${values.join(", ")} from nearest where "#earlier" is null or "window_start" > "#earlier"
  union all
  select "#group", "#at", ${values.join(", ")} from others
  union all
  select "#group", null, ${values.map((value) => (value === '"revision"' ? "0" : value)).join(", ")} from given
), beginning as (
  select *, coalesce("window_start" > max("window_end") ${inOrder} rows between unbounded preceding and 1 preceding), true)
    as "#begins"
  from pieces
), grouped as materialized (
  select *, max(case when "#begins" then "window_start" end) ${inOrder}) as "#session" from beginning
), gone as (
  delete from ${place} where ctid = any(array(select "#at" from grouped where "#at" is not null and "window_start" > "#session"))
)
insert into ${place} as t (${values.join(", ")})
select ${['"#session"', 'max("window_end")', ...groups, ...parts.map(mergedPart), 'max("revision")'].join(", ")}
from grouped group by ${['"#group"', '"#session"', ...groups].join(", ")}
on conflict (${[...key.slice(1), ...key.slice(0, 1)].join(", ")}) do update set
${[
  ...['"window_end"', ...columns, '"revision"'].map((column) => `${column} = excluded.${column}`),
  `"updated_at" = now()`,
]
  .map((set) => `  ${set}`)
  .join(",\n")}`;
}
