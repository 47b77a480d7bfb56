import type { Field, GeneratorConfig, GeneratorValue } from "@caudal/crds";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkFakeName, eventMaker, fakeNames, ValuesInvalid } from "./event.ts";
import { fakeMaker } from "./fake.ts";
import { burstPace, ratePace } from "./pace.ts";
import { eventsOfShard, metadataOf, ProgressInvalid, shardsOf } from "./progress.ts";
import { Stream } from "./stream.ts";

const NOW = Date.parse("2026-03-04T05:06:07.890Z");
const types = ["string", "uuid", "boolean", "integer", "bigint", "double", "timestamp", "date", "json"];

function config(fields: readonly Field[], values: readonly GeneratorValue[] = [], seed = 42, key?: string) {
  return {
    topic: { name: "t", fields: [...fields], ...(key === undefined ? {} : { key }) },
    values: [...values],
    seed,
  } satisfies Pick<GeneratorConfig, "topic" | "values" | "seed">;
}

const field = (type: string, name = "f", nullable = false): Field => ({ name, type, nullable });

/** The field's values of the first events. */
function made(one: Field, kind: Omit<GeneratorValue, "field">, count = 10_000): unknown[] {
  const make = eventMaker(config([one], [{ field: one.name, ...kind }]));
  return Array.from({ length: count }, (_, i) => (JSON.parse(make(i, NOW).value) as Record<string, unknown>)[one.name]);
}

describe("an event", () => {
  it("depends on seed, number and now alone: any order, any maker, any other fields", () => {
    const fields = types.map((type, i) => field(type, `f${i}`));
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
        fc.array(fc.integer({ min: 0, max: 2 ** 40 }), { minLength: 1, maxLength: 5 }),
        (seed, events) => {
          const one = eventMaker(config(fields, [], seed));
          const other = eventMaker(config([...fields].reverse(), [], seed));
          const before = events.map((event) => one(event, NOW).value);
          const after = [...events].reverse().map((event) => JSON.parse(other(event, NOW).value) as unknown);
          expect(after.reverse()).toEqual(before.map((value) => JSON.parse(value) as unknown));
        },
      ),
      { numRuns: 50 },
    );
  });

  it("differs by seed and by number", () => {
    const uuids = (seed: number): string[] => {
      const make = eventMaker(config([field("uuid")], [], seed));
      return Array.from({ length: 20_000 }, (_, i) => make(i, NOW).value);
    };
    expect(new Set([...uuids(1), ...uuids(2), ...uuids(1 + 2 ** 32)]).size).toBe(60_000);
  });

  it("is one line of JSON whatever the texts hold, and its key is the field's bare text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 30 }), (constant) => {
        const { value, key } = eventMaker(config([field("string")], [{ field: "f", constant }], 1, "f"))(0, NOW);
        expect(JSON.parse(value)).toEqual({ f: constant });
        expect(value).not.toMatch(/[\r\n]/);
        expect(key).toBe(constant);
      }),
    );
  });

  it("says which field cannot be made", () => {
    const bad: [Field, Omit<GeneratorValue, "field">, RegExp][] = [
      [field("string"), { fake: "person.fulName" }, /field f: .*person\.fullName/],
      [field("string"), { uuid: {}, nulls: 0.5 }, /field f has nulls, and is not nullable/],
      [field("timestamp"), { time: { start: "yesterday", step: "1s" } }, /field f: time\.start "yesterday"/],
    ];
    for (const [one, kind, message] of bad)
      expect(() => eventMaker(config([one], [{ field: "f", ...kind }]))).toThrow(message);
    expect(() => eventMaker(config([field("string")], [{ field: "g", uuid: {} }]))).toThrow(ValuesInvalid);
  });
});

describe("the kinds of values", () => {
  it("choose evenly, or early ones far more often", () => {
    const even = made(field("string"), { choice: { from: 10, prefix: "u", distribution: "uniform" } });
    const share = (values: unknown[], value: unknown): number => values.filter((one) => one === value).length / 10_000;
    for (let i = 1; i <= 10; i++) expect(share(even, `u${i}`)).toBeCloseTo(0.1, 1);
    const zipf = made(field("integer"), { choice: { from: 1000, distribution: "zipf" } }) as number[];
    expect(share(zipf, 1)).toBeCloseTo(Math.log(2) / Math.log(1001), 1);
    expect(Math.min(...zipf)).toBe(1);
    expect(Math.max(...zipf)).toBeLessThanOrEqual(1000);
    const uuids = made(field("uuid"), { choice: { from: 12, distribution: "uniform" } });
    expect(new Set(uuids).size).toBe(12);
    expect(uuids).toContain("00000000-0000-4000-8000-000000000012");
    const listed = made(field("string"), { choice: { values: ["a", "b"], distribution: "zipf" } });
    expect(share(listed, "a")).toBeGreaterThan(share(listed, "b"));
  });

  it("weigh", () => {
    const values = made(field("string"), {
      weighted: [
        { value: "view", weight: 60 },
        { value: "click", weight: 40 },
      ],
    });
    expect(values.filter((value) => value === "view").length / values.length).toBeCloseTo(0.6, 1);
    expect(new Set(values)).toEqual(new Set(["view", "click"]));
  });

  it("are numbers in their range, whole where the field is", () => {
    const whole = made(field("integer"), { uniform: { min: -2, max: 2 } }) as number[];
    expect(new Set(whole)).toEqual(new Set([-2, -1, 0, 1, 2]));
    const normal = made(field("double"), { normal: { mean: 300, stddev: 120, min: 0, max: 600 } }) as number[];
    const mean = normal.reduce((sum, value) => sum + value, 0) / normal.length;
    expect(Math.abs(mean - 300)).toBeLessThan(6);
    expect(Math.min(...normal)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...normal)).toBeLessThanOrEqual(600);
    const amounts = made(field("double"), { lognormal: { median: 80, sigma: 1.2, max: 5000 } }) as number[];
    expect(amounts.filter((amount) => amount < 80).length / amounts.length).toBeCloseTo(0.5, 1);
    expect(amounts.reduce((sum, amount) => sum + amount, 0) / amounts.length).toBeGreaterThan(140);
    expect(Math.max(...amounts)).toBeLessThanOrEqual(5000);
    for (const value of made(field("decimal(20,2)"), { uniform: { min: 0, max: 9 } }))
      expect(value).toMatch(/^\d\.\d\d$/);
  });

  it("count, name, and tell the time", () => {
    expect(made(field("bigint"), { sequence: { start: 5, step: -2 } }, 3)).toEqual([5, 3, 1]);
    expect(made(field("string"), { sequence: { start: 1, step: 1, prefix: "n" } }, 2)).toEqual(["n1", "n2"]);
    expect(made(field("timestamp"), { time: { start: "2026-01-01T00:00:00Z", step: "90s" } }, 2)).toEqual([
      "2026-01-01T00:00:00.000Z",
      "2026-01-01T00:01:30.000Z",
    ]);
    const jittered = made(field("timestamp"), { now: { jitter: "3s" } }, 2_000).map(
      (text) => NOW - Date.parse(String(text)),
    );
    expect(Math.min(...jittered)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...jittered)).toBeLessThanOrEqual(3_000);
    for (const uuid of made(field("uuid"), { uuid: {} }, 500))
      expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it("are null as often as asked, and the others stay as they were", () => {
    const kind = { uniform: { min: 0, max: 1 } };
    const without = made(field("double", "f", true), kind);
    const some = made(field("double", "f", true), { ...kind, nulls: 0.3 });
    expect(some.filter((value) => value === null).length / some.length).toBeCloseTo(0.3, 1);
    some.forEach((value, i) => value !== null && expect(value).toBe(without[i]));
  });

  it("have a sensible default for every type", () => {
    const fields = [...types, "decimal(10,2)", "decimal(4,3)", "decimal(30,4)"].map((type, i) => field(type, `f${i}`));
    const make = eventMaker(config([...fields, field("string", "email"), field("string", "user_id")]));
    const event = JSON.parse(make(3, NOW).value) as Record<string, unknown>;
    expect(event).toMatchObject({
      f0: expect.any(String),
      f2: expect.any(Boolean),
      f3: expect.any(Number),
      f6: "2026-03-04T05:06:07.890Z",
      f7: "2026-03-04",
      f8: {},
      f9: expect.any(Number),
      f11: expect.stringMatching(/^\d+\.\d{4}$/),
      email: expect.stringContaining("@"),
      user_id: expect.stringMatching(/^\d+$/),
    });
    expect(event["f10"]).toBeLessThan(10);
  });
});

describe("fake names", () => {
  it("are checked, with near ones to write instead", () => {
    expect(checkFakeName("person.fullName")).toBeUndefined();
    for (const [name, near] of [
      ["person.fulName", "person.fullName"],
      ["internet.mail", "internet.email"],
      ["helpers.fake", "near it"],
      ["constructor.name", "near it"],
    ] as const)
      expect(checkFakeName(name)).toContain(near);
    expect(checkFakeName("color.rgb")).toBeUndefined();
    expect(checkFakeName("location.nearbyGPSCoordinate")).toContain("does not give one value");
    expect(fakeNames().length).toBeGreaterThan(150);
  });

  it.each([
    ["internet.email", /^[^@]+@example\.org$/],
    ["internet.exampleEmail", /^[^@]+@example\.org$/],
    ["git.commitEntry", /<[^@]+@example\.org>/],
    ["internet.domainName", /^[\w-]+\.example$/],
    ["internet.url", /^https:\/\/[\w-]+\.example\/?$/],
    ["phone.number", /555-01\d\d$/],
  ] as const)("%s gives what is nobody's", (name, nobodys) => {
    const make = fakeMaker(name);
    for (let seed = 0; seed < 50; seed++) expect(make(new Stream(seed, "who"), 0)).toMatch(nobodys);
  });
});

describe("the pace", () => {
  it("of a rate holds it within one per cent, whatever the ticks and however many shards", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 500_000 }),
        fc.integer({ min: 1, max: 12 }),
        fc.array(fc.integer({ min: 1, max: 150 }), { minLength: 400, maxLength: 400 }),
        (rate, shards, ticks) => {
          let total = 0;
          const seconds = ticks.reduce((sum, tick) => sum + tick, 0) / 1000;
          for (let shard = 0; shard < shards; shard++) {
            const pace = ratePace(rate, { shard, shards }, 0, 0);
            let done = 0;
            let now = 0;
            for (const tick of ticks) done += pace.due((now += tick), done);
            total += done;
          }
          expect(Math.abs(total - rate * seconds)).toBeLessThanOrEqual(Math.max(shards, rate * seconds * 0.01));
        },
      ),
      { numRuns: 50 },
    );
  });

  it("of a rate catches up at most one second after a stall", () => {
    const pace = ratePace(1_000, { shard: 0, shards: 1 }, 0, 0);
    expect(pace.due(100, 0)).toBe(100);
    expect(pace.due(60_000, 100)).toBe(1_000);
    expect(pace.due(60_000, 1_100)).toBe(0);
    expect(pace.due(60_100, 1_100)).toBe(100);
  });

  it("of bursts makes count events of all shards together, also when there are more shards than events", () => {
    for (const [count, shards] of [
      [50, 6],
      [1, 4],
      [7, 7],
    ] as const) {
      const paces = Array.from({ length: shards }, (_, shard) => burstPace(1_000, count, { shard, shards }, 0, 0));
      const done = paces.map(() => 0);
      for (let burst = 1; burst <= 20; burst++) {
        paces.forEach(
          (pace, shard) => (done[shard] = (done[shard] ?? 0) + pace.due((burst - 1) * 1_000, done[shard] ?? 0)),
        );
        expect(done.reduce((sum, one) => sum + one, 0)).toBe(burst * count);
        expect(paces.map((pace, shard) => pace.due((burst - 1) * 1_000 + 500, done[shard] ?? 0))).toEqual(
          paces.map(() => 0),
        );
      }
    }
  });
});

describe("progress", () => {
  it("fixes the number of shards at the first start", () => {
    expect(shardsOf([], 6)).toBe(6);
    expect(shardsOf([{ partition: 2, offset: 9, metadata: metadataOf(6) }], 12)).toBe(6);
  });

  it("that no generator wrote is refused", () => {
    for (const metadata of ["", "x", '{"shards":0}', '{"shards":2}'])
      expect(() => shardsOf([{ partition: 2, offset: 9, metadata }], 6)).toThrow(ProgressInvalid);
    const two = [3, 4].map((shards) => ({ partition: 0, offset: 1, metadata: metadataOf(shards) }));
    expect(() => shardsOf(two, 6)).toThrow(ProgressInvalid);
  });

  it("shares a limit without losing or adding an event", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), fc.integer({ min: 1, max: 20 }), (limit, shards) => {
        const all = Array.from({ length: shards }, (_, shard) => eventsOfShard(shard, shards, limit));
        expect(all.reduce((sum, one) => sum + one, 0)).toBe(limit);
      }),
    );
    expect(eventsOfShard(0, 3, 0)).toBe(Infinity);
  });
});
