import fc from "fast-check";
import { expect, test } from "vitest";
import type { Kernel } from "./kernel.ts";
import type { Merge, TablePlan } from "@caudal/pipeline/sql";
import type { Delta } from "./delta.ts";
import { configOf, tableOf, topicOf } from "@caudal/pipeline/testing";
import { blockOf, kernelOf, NOW, type TextDelta, textOf } from "./testing/block.ts";

const topic = topicOf(
  { user: "string?", ts: "timestamp", n: "bigint?", price: "decimal(20,3)?", ms: "double?", word: "string?" },
  "ts",
);
const aggregates = [
  "count(*) as c",
  "count(n) as cn",
  "sum(n) as sn",
  "avg(price) as ap",
  "sum(ms) as sm",
  "min(word) as lo",
  "max(n) as hi",
  "count(*) filter (where n > 0) as pos",
];
const config = configOf(topic, [
  tableOf({ groupBy: ["user"], aggregates }),
  tableOf({
    name: "hops",
    window: { hopping: { size: "5m", advance: "1m" } },
    groupBy: ["n % 3 as third"],
    aggregates,
  }),
  tableOf({
    name: "overlaps",
    window: { hopping: { size: "2m", advance: "1m" } },
    aggregates,
    where: "coalesce(n, 1) <> 0",
  }),
]);

const event = fc.record(
  {
    user: fc.option(fc.constantFrom("a", "b", "ü", "")),
    ts: fc.integer({ min: NOW, max: NOW + 6 * 60_000 }),
    n: fc.option(fc.integer({ min: -3, max: 3 })),
    price: fc.option(
      fc.integer({ min: -9_999_999, max: 9_999_999 }).map((thousandths) => (thousandths / 1000).toFixed(3)),
    ),
    // Halves add up without rounding, so that order does not matter.
    ms: fc.option(fc.integer({ min: -1_000_000, max: 1_000_000 }).map((halves) => halves / 2)),
    word: fc.option(fc.constantFrom("x", "y", "é", "Z")),
  },
  { requiredKeys: ["ts"] },
);

/** Merging as PostgreSQL does it: by key, part by part, NULL neutral. */
class Store {
  readonly rows = new Map<string, (string | null)[]>();

  merge(deltas: readonly Delta[]): void {
    for (const delta of deltas) {
      const text = textOf(delta);
      for (let row = 0; row < delta.rows; row += 1) this.#mergeRow(delta.table, text, row);
    }
  }

  #mergeRow(table: TablePlan, delta: TextDelta, row: number): void {
    const key = JSON.stringify([table.name, delta.windowStart[row], ...delta.groups.map((column) => column[row])]);
    const parts = delta.parts.map((column) => column[row] ?? null);
    const stored = this.rows.get(key);
    this.rows.set(key, stored === undefined ? parts : mergeParts(table, stored, parts));
  }
}

function mergeParts(table: TablePlan, stored: readonly (string | null)[], added: readonly (string | null)[]) {
  return table.aggregates
    .flatMap(({ parts }) => parts)
    .map(({ merge, duckdbType }, at) => mergeValues(merge, duckdbType, stored[at] ?? null, added[at] ?? null));
}

function mergeValues(merge: Merge, type: string, a: string | null, b: string | null): string | null {
  if (a === null || b === null) return a ?? b;
  const number = type !== "VARCHAR";
  const less = number ? Number(a) < Number(b) : Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0;
  if (merge !== "add") return (merge === "least") === less ? a : b;
  const digits = /DECIMAL\(38,(\d+)\)/.exec(type)?.[1];
  const sum = Number(a) + Number(b);
  return type === "DOUBLE" ? String(sum) : sum.toFixed(Number(digits ?? 0));
}

const kernels = new Map<string, Kernel>();
async function shared(name: string): Promise<Kernel> {
  const kernel = kernels.get(name) ?? (await kernelOf(config, { maxAheadMs: 1e9 }));
  kernels.set(name, kernel);
  return kernel;
}

test("blocks and commits cut anywhere, in any order, merge to what one pass gives", async () => {
  const [once, many] = [await shared("once"), await shared("many")];
  const cuts = fc.array(fc.record({ size: fc.integer({ min: 1, max: 12 }), commit: fc.boolean() }), { minLength: 1 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(event, { minLength: 1, maxLength: 60 }),
      cuts,
      fc.boolean(),
      async (events, pieces, reverse) => {
        const whole = new Store();
        await once.add(blockOf(events), { watermark: null });
        whole.merge(await once.take());
        const parted = new Store();
        const order = reverse ? [...events].reverse() : events;
        for (let start = 0, at = 0; start < order.length; at += 1) {
          const { size, commit } = pieces[at % pieces.length] ?? { size: 1, commit: true };
          await many.add(blockOf(order.slice(start, start + size)), { watermark: null });
          if (commit) parted.merge(await many.take());
          start += size;
        }
        parted.merge(await many.take());
        expect(Object.fromEntries([...parted.rows].sort())).toEqual(Object.fromEntries([...whole.rows].sort()));
      },
    ),
    { numRuns: 40, seed: 3 },
  );
  for (const kernel of kernels.values()) await kernel.close();
}, 60_000);

test("one pass gives what a plain loop over the events gives", async () => {
  const kernel = await kernelOf(config, { maxAheadMs: 1e9 });
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 60 }), async (events) => {
      await kernel.add(blockOf(events), { watermark: null });
      const counts = textOf((await kernel.take())[0]);
      const expected = new Map<string, { c: number; cn: number; sn: number; sm: number }>();
      for (const { ts, user, n, ms } of events) {
        const key = JSON.stringify([new Date(ts - (ts % 60_000)).toISOString(), user ?? null]);
        const row = expected.get(key) ?? { c: 0, cn: 0, sn: 0, sm: 0 };
        expected.set(key, {
          c: row.c + 1,
          cn: row.cn + (typeof n === "number" ? 1 : 0),
          sn: row.sn + (n ?? 0),
          sm: row.sm + (ms ?? 0),
        });
      }
      const found = counts.windowStart.map((start, row) => {
        const part = (at: number) => Number(counts.parts[at]?.[row] ?? 0);
        return [
          JSON.stringify([start, counts.groups[0]?.[row] ?? null]),
          { c: part(0), cn: part(1), sn: part(2), sm: part(6) },
        ];
      });
      expect(Object.fromEntries(found)).toEqual(Object.fromEntries(expected));
    }),
    { numRuns: 40, seed: 4 },
  );
  await kernel.close();
}, 60_000);
