import { expect, it } from "vitest";
import type { TransformConfig } from "@caudal/crds";
import { Projection } from "../kernel/projection.ts";
import { topicOf } from "@caudal/pipeline/testing";
import { blockOf } from "../kernel/testing/block.ts";
import { compileTransformPlan } from "@caudal/pipeline/duckdb";
import { LookupTables } from "./lookup-tables.ts";

/** Keys of a table as PostgreSQL prints them, of one type; and events' values, of which some are among them. */
const cases: readonly [type: string, keys: readonly (string | null)[], values: readonly unknown[]][] = [
  ["string", ["a", "A", "", "é", "\ufeffa", "a b", "null", null], ["a", "A", "", "e\u0301", "é", "\ufeffa", null, "b"]],
  [
    "uuid",
    ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "00000000-0000-4000-8000-000000000001"],
    ["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "00000000-0000-4000-8000-000000000001", null],
  ],
  ["integer", ["0", "-1", "2147483647", "-2147483648"], [0, -1, 2147483647, -2147483648, 7, null]],
  ["bigint", ["9007199254740991", "-9007199254740991", "5"], [9007199254740991, -9007199254740991, 5, 6, null]],
  // What is not plain is DuckDB's to match.
  ["bigint", ["9007199254740993", "9223372036854775807", "5"], [5, "9007199254740993", "9007199254740992", null]],
  ["bigint", ["05", "+7", "8.0"], [5, 7, 8, 9]],
  ["double", ["-0", "1e3"], [0, 1000, 1.5]],
  ["decimal(10,2)", ["1.50", "2"], [1.5, 2, 3]],
  ["boolean", ["t", "false"], [true, false, null]],
  [
    "timestamp",
    ["2026-01-01 00:00:00+00", "9999-12-31 23:59:59+00"],
    ["2026-01-01T01:00:00+01:00", "9999-12-31T23:59:59Z"],
  ],
  ["date", ["2026-01-01", "0001-01-01"], ["2026-01-01", "0001-01-01", "2026-01-02"]],
];

it.each(cases)(
  "keys of type %s match %j as DuckDB says, among few events and among many",
  async (type, keys, values) => {
    const topic = topicOf({ k: `${type}?`, i: "integer" });
    const lookup = {
      ...{ name: "l", table: "public.l", match: { id: "k" }, refreshMs: 1_000, maxRows: 100, secret: "" },
      columns: [
        { name: "at", type: "decimal(20,3)" },
        { name: "note", type: "string" },
      ],
    };
    const config: TransformConfig = {
      ...{ topic, lookups: [lookup], deadLetterTopic: "d", to: [], replicas: 1 },
      select: ["i", "l.at as at", "l.note as note", "l is null as none"],
    };
    const plan = await compileTransformPlan(config);
    const rows = JSON.stringify(
      keys.map((key, index) => [key, `${index}.5`, index % 2 === 0 ? null : `note ${index}`]),
    );
    const lookups = plan.lookups.map((one) => ({ plan: one, table: "public.l", rows }));
    const written = async (events: readonly object[]) => {
      const wanted = { wants: new Set(["json"] as const) };
      const projection = await Projection.open(plan, topic, wanted, new LookupTables(lookups));
      const { bad } = await projection.add(blockOf(events), { from: 0, to: events.length });
      const { json, count } = projection.take();
      await projection.close();
      expect(bad).toEqual([]);
      return Array.from({ length: count }, (_, row) => json?.bytes.toString("utf8", json.starts[row], json.ends[row]));
    };
    const events = values.map((k, i) => ({ k, i }));
    const few = await written(events);
    const many = await written([...events, ...Array.from({ length: 100 }, (_, n) => ({ k: null, i: 1_000 + n }))]);
    expect(few).toEqual(many.slice(0, few.length));
    expect(few.some((row) => row?.includes('"none":false'))).toBe(true);
  },
);
