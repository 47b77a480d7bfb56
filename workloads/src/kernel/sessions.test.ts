import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Kernel } from "./kernel.ts";
import type { Delta } from "./delta.ts";
import { configOf, tableOf, topicOf } from "@caudal/pipeline/testing";
import { blockOf, kernelOf, NOW, textOf } from "./testing/block.ts";
import { type Session, sessionsOf, type Visit } from "./testing/sessions.ts";

const GAP = 30_000;
const topic = topicOf({ user: "string?", ts: "timestamp", n: "bigint?" }, "ts");
const table = tableOf({
  window: { session: { gap: "30s" } },
  groupBy: ["user"],
  aggregates: ["count(*) as c", "sum(n) as s", "min(n) as lo"],
});
const config = configOf(topic, [table]);

const sessionsIn = (delta: Delta | undefined): Session[] => {
  const number = (text: string | null | undefined) => (typeof text === "string" ? Number(text) : null);
  const { windowStart, groups, parts } = textOf(delta);
  return windowStart.map((start, row) => ({
    user: groups[0]?.[row] ?? null,
    first: Date.parse(start),
    last: Number(delta?.sessions?.lastEvent[row]),
    count: Number(parts[0]?.[row]),
    sum: number(parts[1]?.[row]),
    least: number(parts[3]?.[row]),
  }));
};

let kernel: Kernel;
beforeAll(async () => {
  kernel = await kernelOf(config, { maxAheadMs: 1e12 });
});
afterAll(async () => {
  await kernel.close();
});
const add = async (visits: readonly Visit[]) => await kernel.add(blockOf(visits), { watermark: null });
const take = async () => {
  const [delta] = await kernel.take();
  return delta;
};
const at = (...seconds: readonly number[]): Visit[] => seconds.map((second) => ({ ts: NOW + second * 1_000 }));
const ends = (delta: Delta | undefined) =>
  sessionsIn(delta).map(({ first, last, count }) => [(first - NOW) / 1_000, (last - NOW) / 1_000, count]);

describe("a session", () => {
  it("holds events that are a gap apart, and ends where the next one is further", async () => {
    await add(at(0, 30, 60, 90.001));
    expect(ends(await take())).toEqual([
      [0, 60, 3],
      [90.001, 90.001, 1],
    ]);
  });

  it("is extended, joined with another one and begun by blocks in any order", async () => {
    await add(at(100));
    await add(at(160));
    await add(at(75, 191));
    await add(at(130));
    expect(ends(await take())).toEqual([
      [75, 160, 4],
      [191, 191, 1],
    ]);
  });

  it("counts time in whole milliseconds, downwards, also before 1970", async () => {
    const times = ["1969-12-31T23:59:44.999001Z", "1970-01-01T00:00:14.999999Z", "1970-01-01T00:00:45Z"];
    await kernel.add(blockOf(times.map((ts) => ({ ts }))), { watermark: null });
    expect(sessionsIn(await take()).map(({ first, last }) => [first, last])).toEqual([
      [-15_001, 14_999],
      [45_000, 45_000],
    ]);
  });

  it("joins values of every kind, integers of any size among them", async () => {
    const fields = { ts: "timestamp", l: "bigint?", m: "decimal(20,3)?", d: "double?", s: "string?" };
    const names = ["l", "m", "d", "s"];
    const typed = await kernelOf(
      configOf(topicOf(fields, "ts"), [
        tableOf({
          ...{ window: table.window, groupBy: ["l as g"] },
          aggregates: names.flatMap((name) => [`min(${name}) as lo_${name}`, `max(${name}) as hi_${name}`]),
        }),
        tableOf({ name: "sums", window: table.window, aggregates: ["sum(l) as l", "avg(m) as m", "sum(d) as d"] }),
      ]),
      { maxAheadMs: 1e12 },
    );
    const large = "9007199254740993";
    const values = [
      { l: large, m: "1.100", d: 0.5, s: "b" },
      { l: large, m: null, d: null, s: null },
      { l: large, m: "99999999999999999.999", d: -2, s: "a" },
    ];
    await typed.add(blockOf(values.map((value, index) => ({ ts: NOW + index * 25_000, ...value }))), {
      watermark: null,
    });
    const [groups, sums] = (await typed.take()).map(textOf);
    await typed.close();
    expect(groups?.groups).toEqual([[large]]);
    expect(groups?.parts.flat()).toEqual([large, large, "1.100", "99999999999999999.999", "-2", "0.5", "a", "b"]);
    expect(sums?.parts.flat()).toEqual(["27021597764222979", "3", "100000000000000001.099", "2", "-1.5", "2"]);
  });
});

it("sessions are those of a plain loop, whatever the order of events and wherever blocks are cut", async () => {
  const visit = fc.record(
    {
      ts: fc.integer({ min: 0, max: 60 }).map((step) => NOW + step * 7_500),
      user: fc.option(fc.constantFrom("a", "b", "ü", "")),
      n: fc.option(fc.integer({ min: -3, max: 3 })),
    },
    { requiredKeys: ["ts"] },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(visit, { minLength: 1, maxLength: 60 }),
      fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1 }),
      async (visits, sizes) => {
        for (let start = 0, cut = 0; start < visits.length; cut += 1) {
          const size = sizes[cut % sizes.length] ?? 1;
          await add(visits.slice(start, start + size));
          start += size;
        }
        expect(sessionsIn(await take())).toEqual(sessionsOf(visits, GAP));
      },
    ),
    { numRuns: 60, seed: 5 },
  );
});

it("many pieces of sessions that are out of order give the same sessions", async () => {
  const visits = Array.from({ length: 120_000 }, (_, index): Visit => {
    const mixed = Math.imul(index, 2_654_435_761) >>> 0;
    return { ts: NOW + (mixed % 600_000), user: `u${mixed % 4_999}`, n: index % 10 };
  });
  for (let start = 0; start < visits.length; start += 30_000) await add(visits.slice(start, start + 30_000));
  const delta = await take();
  expect(sessionsIn(delta)).toEqual(sessionsOf(visits, GAP));
});

describe("an event is late", () => {
  const visits = at(0, 30, 40, 100);
  const watermark = NOW + 60_000;
  it.each([
    [
      "Update",
      4,
      [
        [0, 40, 3],
        [100, 100, 1],
      ],
      [],
    ],
    [
      "Drop",
      2,
      [
        [40, 40, 1],
        [100, 100, 1],
      ],
      [0, 1],
    ],
    [
      "DeadLetter",
      2,
      [
        [40, 40, 1],
        [100, 100, 1],
      ],
      [0, 1],
    ],
  ] as const)(
    "when a session of it alone has ended at the watermark, under %s",
    async (lateEvents, counted, sessions, leftOut) => {
      const judging = await kernelOf(config, { maxAheadMs: 1e12, lateEvents });
      const result = await judging.add(blockOf(visits), { watermark });
      const [delta] = await judging.take();
      await judging.close();
      expect(result.tables).toEqual([{ table: "counts", counted, late: 2 }]);
      expect(result.late.map(({ row }) => row)).toEqual(leftOut);
      expect(ends(delta)).toEqual(sessions);
    },
  );
});

it("a session that ends at the floor or before takes no event", async () => {
  const floors = new Map([["counts", NOW + 60_000]]);
  const result = await kernel.add(blockOf(at(0, 30, 30.001, 61)), { watermark: null, floors });
  expect(result.late.map(({ row, tables }) => [row, tables])).toEqual([
    [0, ["counts"]],
    [1, ["counts"]],
  ]);
  expect(ends(await take())).toEqual([
    [30.001, 30.001, 1],
    [61, 61, 1],
  ]);
});
