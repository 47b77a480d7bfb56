import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { KeyedQueue } from "./queue.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const never = () => {
  throw new Error("no failure was expected");
};

test("keys that come together are worked on once, and nothing before the queue is open", async () => {
  const seen: string[] = [];
  const queue = new KeyedQueue((key) => Promise.resolve(seen.push(key)).then(() => Infinity), never);
  queue.add("a");
  queue.add("a");
  queue.add("b");
  await vi.advanceTimersByTimeAsync(1_000);
  expect(seen).toEqual([]);
  queue.open();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(seen).toEqual(["a", "b"]);
});

test("a key that comes during its own run is worked on again afterwards, never twice at a time", async () => {
  let running = 0;
  let runs = 0;
  const queue = new KeyedQueue(async () => {
    running += 1;
    expect(running).toBe(1);
    runs += 1;
    if (runs === 1) queue.add("a");
    await new Promise((resolve) => setTimeout(resolve, 100));
    running -= 1;
    return Infinity;
  }, never);
  queue.open();
  queue.add("a");
  await vi.advanceTimersByTimeAsync(1_000);
  expect(runs).toBe(2);
});

test("work asks for its own next time", async () => {
  let runs = 0;
  const queue = new KeyedQueue(() => Promise.resolve((runs += 1)).then(() => 30_000), never);
  queue.open();
  queue.add("a");
  await vi.advanceTimersByTimeAsync(29_000);
  expect(runs).toBe(1);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(runs).toBe(2);
});

test("work that fails is tried again, later each time", async () => {
  const failures: number[] = [];
  const queue = new KeyedQueue(
    () => Promise.reject(new Error("down")),
    () => failures.push(Date.now()),
  );
  queue.open();
  queue.add("a");
  await vi.advanceTimersByTimeAsync(10_000);
  const waits = failures.slice(1).map((at, index) => at - (failures[index] ?? 0));
  expect(waits).toEqual([400, 800, 1600, 3200]);
});
