import { describe, expect, it } from "vitest";
import type { Part, TablePlan } from "@caudal/pipeline/sql";
import { catalogueType, createTable, storedColumns } from "./table-ddl.ts";
import { upsertText } from "./upsert.ts";

const part = (column: string, merge: Part["merge"], postgresType: string): Part => ({
  column,
  merge,
  postgresType,
  duckdbType: "BIGINT",
  function: "sum",
  expression: "x",
});
const table: TablePlan = {
  name: "orders",
  hash: "h",
  size: 180_000,
  advance: 60_000,
  pane: 60_000,
  panes: false,
  fields: [],
  inputs: [],
  groups: [{ name: "region", expression: "region", duckdbType: "VARCHAR", postgresType: "text" }],
  aggregates: [
    { name: "n", postgresType: "bigint", value: '"n"', parts: [part("n", "add", "bigint")] },
    {
      name: "total",
      postgresType: "numeric",
      value: `case when "_total_n" > 0 then "_total_s" end`,
      parts: [part("_total_s", "add", "numeric"), part("_total_n", "add", "bigint")],
    },
    { name: "first", postgresType: "text", value: '"first"', parts: [part("first", "least", "text")] },
  ],
};

describe("a result table", () => {
  it("shows people's columns first and computes those that are made of parts", () => {
    expect(createTable(table)).toMatchInlineSnapshot(`
      [
        "create table "public"."orders" (
        "window_start" timestamp with time zone not null,
        "window_end" timestamp with time zone not null,
        "region" text collate "C",
        "n" bigint,
        "total" numeric generated always as ((case when "_total_n" > 0 then "_total_s" end)::numeric) stored,
        "first" text collate "C",
        "revision" bigint not null default 0,
        "updated_at" timestamp with time zone not null default now(),
        "_total_s" numeric,
        "_total_n" bigint
      ) with (fillfactor = 70)",
        "create unique index on "public"."orders" ("region", "window_start") nulls not distinct",
      ]
    `);
  });

  it("of panes keeps parts alone, and a view adds them up", () => {
    expect(createTable({ ...table, panes: true })).toMatchInlineSnapshot(`
      [
        "create table "caudal"."orders_panes" (
        "window_start" timestamp with time zone not null,
        "region" text collate "C",
        "revision" bigint not null default 0,
        "updated_at" timestamp with time zone not null default now(),
        "n" bigint,
        "_total_s" numeric,
        "_total_n" bigint,
        "first" text collate "C"
      ) with (fillfactor = 70)",
        "create unique index on "caudal"."orders_panes" ("region", "window_start") nulls not distinct",
        "create or replace view "public"."orders" as
      select "window_start", "window_start" + interval '180000 milliseconds' as "window_end", "region", ("n")::bigint as "n", (case when "_total_n" > 0 then "_total_s" end)::numeric as "total", ("first")::text as "first", "revision", "updated_at"
      from (
        select "window_start", "region", sum("n")::bigint as "n", sum("_total_s")::numeric as "_total_s", sum("_total_n")::bigint as "_total_n", min("first")::text as "first", sum("revision")::bigint as "revision", max("updated_at") as "updated_at"
        from (
          select date_bin(interval '60000 milliseconds', p."window_start", timestamptz 'epoch') - back.step * interval '60000 milliseconds' as "window_start", p."region", p."n", p."_total_s", p."_total_n", p."first", p."revision", p."updated_at", p."window_start" as "#pane"
          from "caudal"."orders_panes" p cross join generate_series(0, 2) as back(step)
        ) as w
        where "window_start" + interval '180000 milliseconds' > "#pane"
          and "window_start" + interval '180000 milliseconds' > coalesce((select c.floor from caudal.claims c where c.table_name = 'orders'), timestamptz '-infinity')
        group by 1, 2
      ) as m",
        "comment on view "public"."orders" is 'Windows, added up from the panes in "caudal"."orders_panes" (definition ba1104121cf9).'",
      ]
    `);
  });

  it("without groups has one row a window", () => {
    expect(createTable({ ...table, groups: [] })[1]).toBe(
      `create unique index on "public"."orders" ("window_start") nulls not distinct`,
    );
  });

  it("is compared with the catalogue by its types' full names", () => {
    expect(storedColumns(table).map(({ type }) => type)).toContain("timestamp with time zone");
    expect(catalogueType("numeric(10, 2)")).toBe("numeric(10,2)");
    expect(catalogueType("timestamp")).toBe("timestamp without time zone");
  });

  it("is merged by one statement, in which NULL is neutral", () => {
    expect(upsertText(table)).toMatchInlineSnapshot(`
      "insert into "public"."orders" as t ("window_start", "region", "n", "_total_s", "_total_n", "first", "window_end")
      select "window_start", "region", "n", "_total_s", "_total_n", "first", "window_start" + interval '180000 milliseconds'
      from unnest($1::timestamptz[], $2::text[], $3::bigint[], $4::numeric[], $5::bigint[], $6::text[]) as d("window_start", "region", "n", "_total_s", "_total_n", "first")
      on conflict ("region", "window_start") do update set
        "n" = coalesce(t."n" + excluded."n", t."n", excluded."n"),
        "_total_s" = coalesce(t."_total_s" + excluded."_total_s", t."_total_s", excluded."_total_s"),
        "_total_n" = coalesce(t."_total_n" + excluded."_total_n", t."_total_n", excluded."_total_n"),
        "first" = least(t."first", excluded."first"),
        "updated_at" = now()"
    `);
  });
});
