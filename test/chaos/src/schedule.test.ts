import { describe, expect, it } from "vitest";
import { Dice } from "./dice.ts";
import { describeFault, type FaultKind, MOST_WORKERS } from "./faults.ts";
import { plans, SYSTEMS } from "./schedule.ts";

const seeds = Array.from({ length: 60 }, (_, seed) => seed + 1);

describe.each(SYSTEMS)("a schedule of %s", (system) => {
  const plan = plans[system];

  it("is the same for the same seed and length, and another for another seed", () => {
    for (const seed of seeds) expect(plan(seed, 180)).toEqual(plan(seed, 180));
    const distinct = new Set(seeds.map((seed) => JSON.stringify(plan(seed, 180).steps)));
    expect(distinct.size).toBe(seeds.length);
  });

  it("is in the order of time, begins after a quiet while and ends with the load", () => {
    for (const { steps, seconds } of seeds.map((seed) => plan(seed, 60))) {
      const times = steps.map(({ atMs }) => atMs);
      expect(times).toEqual([...times].sort((a, b) => a - b));
      expect(times[0]).toBeGreaterThanOrEqual(3_000);
      expect(times.at(-1)).toBeLessThan(seconds * 1000);
    }
  });

  it("has every kind of fault among a few dozen seeds", () => {
    const kinds = new Set(seeds.flatMap((seed) => plan(seed, 180).steps.map(({ fault }) => fault.kind)));
    expect([...kinds].sort()).toEqual([...common, ...special[system]].sort());
  });
});

const common: readonly FaultKind[] = [
  ...(["worker-kill", "worker-zombie", "worker-pause", "worker-drain"] as const),
  ...(["rolling-restart", "scale", "clock-jump"] as const),
  ...(["broker-restart", "broker-kill", "broker-freeze"] as const),
  ...(["kafka-reset", "kafka-delay", "kafka-black-hole"] as const),
  ...(["postgres-restart", "postgres-immediate", "postgres-kill", "postgres-terminate"] as const),
  ...(["postgres-disk-full", "postgres-reset", "postgres-delay", "postgres-black-hole"] as const),
  ...(["commit-cut-before", "commit-cut-after"] as const),
];
const redis = ["redis-restart", "redis-kill", "redis-freeze", "redis-reset", "redis-black-hole"] as const;
const s3 = ["s3-kill", "s3-reset", "s3-delay", "s3-black-hole"] as const;
const special: Readonly<Record<(typeof SYSTEMS)[number], readonly FaultKind[]>> = {
  aggregates: ["partitions-added", "table-added", "postgres-put-back"],
  banking: ["partitions-added", "pod-kill", ...redis],
  customers: ["pod-kill", ...redis, ...s3, "slot-dropped", "slot-invalidated"],
};

describe("a schedule of aggregates", () => {
  it("keeps zombies stopped for longer than their session, and within what can be run", () => {
    for (const { steps, workers, clocks, refusals, lateEvents } of seeds.map((seed) => plans.aggregates(seed, 180))) {
      expect(workers).toBeLessThanOrEqual(MOST_WORKERS);
      const faults = steps.map(({ fault }) => fault);
      for (const fault of faults) if (fault.kind === "worker-zombie") expect(fault.ms).toBeGreaterThan(15_000);
      if (!clocks) expect(faults.some(({ kind }) => kind === "clock-jump")).toBe(false);
      const added = faults.filter(({ kind }) => kind === "table-added").length;
      expect(added).toBeLessThanOrEqual(refusals ? 0 : 1);
      if (refusals || faults.some(({ kind }) => kind === "postgres-put-back")) expect(lateEvents).toBe("Update");
    }
  });

  it("says a fault in words", () => {
    expect(describeFault({ kind: "worker-zombie", victim: 0.123_45, ms: 16_000 })).toBe(
      "worker-zombie victim 0.12 ms 16000",
    );
    expect(describeFault({ kind: "broker-kill" })).toBe("broker-kill");
  });
});

describe("dice", () => {
  it("of one seed and name throw the same; of another name, other numbers", () => {
    const throws = (seed: number, name: string) => {
      const dice = new Dice(seed, name);
      return Array.from({ length: 20 }, () => dice.whole(1, 6));
    };
    expect(throws(7, "a")).toEqual(throws(7, "a"));
    expect(throws(7, "a")).not.toEqual(throws(7, "b"));
    expect(throws(7, "a")).not.toEqual(throws(8, "a"));
    expect(new Set(throws(7, "a"))).toEqual(new Set([1, 2, 3, 4, 5, 6]));
  });

  it("follow their weights", () => {
    const dice = new Dice(1, "weights");
    const counts = { often: 0, seldom: 0 };
    for (let i = 0; i < 10_000; i++) counts[dice.weighted({ often: 9, seldom: 1 })]++;
    expect(counts.seldom).toBeGreaterThan(850);
    expect(counts.seldom).toBeLessThan(1_150);
  });
});
