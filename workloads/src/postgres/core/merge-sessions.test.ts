import { describe, expect, it } from "vitest";
import type { Part, TablePlan } from "@caudal/pipeline/sql";
import { merge } from "./merge.ts";
import { lockGroupsText, mergeSessionsText } from "./merge-sessions.ts";
import { createTable } from "./table-ddl.ts";

const part = (column: string, merged: Part["merge"], postgresType: string): Part => ({
  ...{ column, merge: merged, postgresType, duckdbType: "BIGINT", function: "sum", expression: "x" },
});
const table: TablePlan = {
  ...{
    name: "visits",
    hash: "h",
    size: 30_000,
    advance: 30_000,
    pane: 30_000,
    panes: false,
    gap: 30_000,
    fields: [],
    inputs: [],
  },
  groups: [
    { name: "user", expression: "user", duckdbType: "VARCHAR", postgresType: "text" },
    { name: "day", expression: "day", duckdbType: "DATE", postgresType: "date" },
  ],
  aggregates: [
    { name: "n", postgresType: "bigint", value: '"n"', parts: [part("n", "add", "bigint")] },
    { name: "first", postgresType: "uuid", value: '"first"', parts: [part("first", "least", "uuid")] },
  ],
};

describe("a table of sessions", () => {
  it("looks as any other, and has a lock and an index by group beside it", () => {
    expect(createTable(table)).toMatchInlineSnapshot(`
      [
        "create table "public"."visits" (
        "window_start" timestamp with time zone not null,
        "window_end" timestamp with time zone not null,
        "user" text collate "C",
        "day" date,
        "n" bigint,
        "first" uuid,
        "revision" bigint not null default 0,
        "updated_at" timestamp with time zone not null default now()
      ) with (fillfactor = 70)",
        "create unique index on "public"."visits" ("user", "day", "window_start") nulls not distinct",
        "create table "caudal"."visits_groups" (hash bigint primary key)",
        "create index on "public"."visits" ((hash_record_extended(row("user", "day"), 0)), "window_start")",
      ]
    `);
  });

  it("without groups has one lock", () => {
    const plain = { ...table, groups: [] };
    expect(createTable(plain).slice(1)).toMatchInlineSnapshot(`
      [
        "create unique index on "public"."visits" ("window_start") nulls not distinct",
        "create table "caudal"."visits_groups" (hash bigint primary key)",
      ]
    `);
    expect(lockGroupsText(plain)).toMatchInlineSnapshot(`
      "insert into "caudal"."visits_groups" as l (hash) select 0::bigint
      on conflict (hash) do update set hash = l.hash where false"
    `);
  });
});

describe("sessions are merged", () => {
  it("after their groups are locked, in the order of their numbers", () => {
    expect(lockGroupsText(table)).toMatchInlineSnapshot(`
      "insert into "caudal"."visits_groups" as l (hash) select distinct hash_record_extended(row(d."user", d."day"), 0) from unnest($1::text[], $2::date[]) as d("user", "day") order by 1
      on conflict (hash) do update set hash = l.hash where false"
    `);
  });

  it("with those that they touch, in one statement", () => {
    expect(mergeSessionsText(table)).toMatchInlineSnapshot(`
      "with given as materialized (
        select *, "#last" + interval '30000 milliseconds' as "window_end", hash_record_extended(row(u."user", u."day"), 0) as "#hash",
          lag("#last") over (partition by "#group" order by "window_start") + interval '30000 milliseconds' as "#earlier"
        from unnest($1::timestamptz[], $2::timestamptz[], $3::int[], $4::text[], $5::date[], $6::bigint[], $7::uuid[]) as u("window_start", "#last", "#group", "user", "day", "n", "first")
      ), nearest as materialized (
        select d."#group", d."#hash", d."#earlier", d."window_start" as "#from", s.* from given d cross join lateral (
          select t.ctid as "#at", t."window_start", t."window_end", t."user", t."day", t."n", t."first", t."revision"
          from "public"."visits" t where hash_record_extended(row(t."user", t."day"), 0) = d."#hash" and t."user" is not distinct from d."user" and t."day" is not distinct from d."day" and t."window_start" <= d."window_end" order by t."window_start" desc limit 1) s
        where s."window_end" >= d."window_start"
      ), others as (
        select d."#group", s.* from nearest d cross join lateral (
          (select t.ctid as "#at", t."window_start", t."window_end", t."user", t."day", t."n", t."first", t."revision"
          from "public"."visits" t where hash_record_extended(row(t."user", t."day"), 0) = d."#hash" and t."user" is not distinct from d."user" and t."day" is not distinct from d."day" and t."window_start" > d."#from" and t."window_start" < d."window_start" offset 0)
          union all
          select * from (
          select t.ctid as "#at", t."window_start", t."window_end", t."user", t."day", t."n", t."first", t."revision"
          from "public"."visits" t where hash_record_extended(row(t."user", t."day"), 0) = d."#hash" and t."user" is not distinct from d."user" and t."day" is not distinct from d."day" and t."window_start" <= d."#from" order by t."window_start" desc limit 1) p
          where p."window_end" >= d."#from" and (d."#earlier" is null or p."window_start" > d."#earlier")) s
        where d."window_start" > d."#from"
      ), pieces as (
        select "#group", "#at", "window_start", "window_end", "user", "day", "n", "first", "revision" from nearest where "#earlier" is null or "window_start" > "#earlier"
        union all
        select "#group", "#at", "window_start", "window_end", "user", "day", "n", "first", "revision" from others
        union all
        select "#group", null, "window_start", "window_end", "user", "day", "n", "first", 0 from given
      ), beginning as (
        select *, coalesce("window_start" > max("window_end") over (partition by "#group" order by "window_start" rows between unbounded preceding and 1 preceding), true)
          as "#begins"
        from pieces
      ), grouped as materialized (
        select *, max(case when "#begins" then "window_start" end) over (partition by "#group" order by "window_start") as "#session" from beginning
      ), gone as (
        delete from "public"."visits" where ctid = any(array(select "#at" from grouped where "#at" is not null and "window_start" > "#session"))
      )
      insert into "public"."visits" as t ("window_start", "window_end", "user", "day", "n", "first", "revision")
      select "#session", max("window_end"), "user", "day", sum("n")::bigint, min("first"::text collate "C")::uuid, max("revision")
      from grouped group by "#group", "#session", "user", "day"
      on conflict ("user", "day", "window_start") do update set
        "window_end" = excluded."window_end",
        "n" = excluded."n",
        "first" = excluded."first",
        "revision" = excluded."revision",
        "updated_at" = now()"
    `);
  });

  it("in this order", () => {
    const statements = merge({
      ...{ table: { ...table, groups: [], aggregates: [] }, rows: 1, groups: [], parts: [] },
      windowStart: Float64Array.of(0),
      sessions: { lastEvent: Float64Array.of(0), group: Float64Array.of(0) },
    });
    expect(statements.map(({ name }) => name)).toEqual(["plan by index", "lock visits", "merge visits"]);
  });
});
