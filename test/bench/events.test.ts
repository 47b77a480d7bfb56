import { describe, expect, it } from "vitest";
import { appEvents, DISORDER_MS, EPOCH_MS, eventMaker, type EventShape, random, sentinelValue } from "./events.ts";

function make(shape: EventShape, count: number) {
  const next = eventMaker(shape);
  return Array.from({ length: count }, (_, i) => ({ ...next(EPOCH_MS + i * 10, EPOCH_MS) }));
}

describe("random", () => {
  it("is even, and the same for the same seed", () => {
    const numbers = Array.from({ length: 100_000 }, random(7));
    expect(numbers.every((value) => value >= 0 && value < 1)).toBe(true);
    expect(numbers.reduce((sum, value) => sum + value) / numbers.length).toBeCloseTo(0.5, 2);
    expect(Array.from({ length: 10 }, random(7))).toEqual(numbers.slice(0, 10));
    expect(Array.from({ length: 10 }, random(8))).not.toEqual(numbers.slice(0, 10));
  });
});

describe("eventMaker", () => {
  const events = make(appEvents, 50_000);

  it("makes JSON of about 140 bytes with the fields that the stage declares", () => {
    const [first] = events;
    expect(JSON.parse(first?.value ?? "")).toEqual({
      event_id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/) as string,
      user_id: expect.stringMatching(/^u\d{5}$/) as string,
      event_type: expect.any(String) as string,
      event_ts: first?.time,
      waiting_time_ms: expect.any(Number) as number,
    });
    const mean = events.reduce((sum, { value }) => sum + value.length, 0) / events.length;
    expect(mean).toBeGreaterThan(138);
    expect(mean).toBeLessThan(143);
  });

  it("is the same each time", () => {
    expect(make(appEvents, 100)).toEqual(events.slice(0, 100));
  });

  it("is out of order by up to the disorder, and never before the first window", () => {
    const late = events.map(({ time }, i) => EPOCH_MS + i * 10 - time);
    expect(Math.max(...late)).toBeLessThan(DISORDER_MS);
    expect(Math.max(...late)).toBeGreaterThan(DISORDER_MS - 100);
    expect(Math.min(...events.map(({ time }) => time))).toBe(EPOCH_MS);
  });

  it("prefers early users as Zipf's law with exponent 0.8 says, and views to purchases", () => {
    const total = Array.from({ length: 10_000 }, (_, user) => (user + 1) ** -0.8).reduce((sum, part) => sum + part);
    const first = events.filter(({ user }) => user === 0).length / events.length;
    expect(first).toBeCloseTo(1 / total, 2);
    const type = (name: string) => events.filter(({ value }) => value.includes(`"${name}"`)).length / events.length;
    expect(type("view")).toBeCloseTo(0.55, 2);
    expect(type("purchase")).toBeCloseTo(0.02, 2);
  });

  it("takes every user alike without skew, and carries padding and no id where the shape says so", () => {
    const plain = make({ users: 4, skew: 0, spanMs: 1, padding: 50, identified: false }, 4_000);
    const shares = [0, 1, 2, 3].map((wanted) => plain.filter(({ user }) => user === wanted).length / plain.length);
    for (const share of shares) expect(share).toBeCloseTo(0.25, 1);
    expect(JSON.parse(plain[0]?.value ?? "")).not.toHaveProperty("event_id");
    expect(JSON.parse(plain[0]?.value ?? "")).toHaveProperty("details", "x".repeat(50));
  });
});

describe("sentinelValue", () => {
  it("is an event like others, hours after them, with an id of its own in each partition", () => {
    const [one, other] = [0, 11].map((partition) => JSON.parse(sentinelValue(appEvents, partition)) as object);
    expect(one).toMatchObject({ user_id: "~sentinel", event_type: "sentinel", event_ts: EPOCH_MS + 7_200_000 });
    expect(one).not.toEqual(other);
  });
});
