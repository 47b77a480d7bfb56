import { afterEach, expect, test, vi } from "vitest";
import { KeyedQueue } from "./queue.ts";

afterEach(() => void vi.useRealTimers());

test("a key that is added twice is taken once", async () => {
  const queue = new KeyedQueue();
  queue.add("a");
  queue.add("a");
  queue.add("b");
  expect(queue.depth).toBe(2);
  expect([await queue.take(), await queue.take()]).toEqual(["a", "b"]);
});

test("a key is with one worker at a time, and comes again when it was added meanwhile", async () => {
  const queue = new KeyedQueue();
  queue.add("a");
  await queue.take();
  queue.add("a");
  queue.add("b");
  expect(await queue.take()).toBe("b");
  expect(queue.depth).toBe(0);
  queue.done("a");
  expect(await queue.take()).toBe("a");
});

test("a worker that waits gets the next key", async () => {
  const queue = new KeyedQueue();
  const taken = queue.take();
  queue.add("a");
  expect(await taken).toBe("a");
});

test("an earlier date for a key stays, a later one is forgotten", () => {
  vi.useFakeTimers();
  const queue = new KeyedQueue();
  queue.addAfter("a", 1_000);
  queue.addAfter("a", 5_000);
  vi.advanceTimersByTime(1_000);
  expect(queue.depth).toBe(1);
  queue.addAfter("b", 5_000);
  queue.addAfter("b", 1_000);
  vi.advanceTimersByTime(1_000);
  expect(queue.depth).toBe(2);
});

test("retries of a key double until it is forgotten", () => {
  vi.useFakeTimers();
  const delays: number[] = [];
  const queue = new KeyedQueue({ firstRetryMs: 100, lastRetryMs: 1_000 });
  const add = vi.spyOn(queue, "addAfter").mockImplementation((_key, ms) => void delays.push(ms));
  for (let i = 0; i < 6; i++) queue.retry("a");
  expect(delays[0]).toBeGreaterThanOrEqual(50);
  expect(delays[0]).toBeLessThanOrEqual(100);
  expect(delays[5]).toBeGreaterThanOrEqual(500);
  expect(delays[5]).toBeLessThanOrEqual(1_000);
  queue.forget("a");
  queue.retry("a");
  expect(delays[6]).toBeLessThanOrEqual(100);
  add.mockRestore();
});

test("a bucket bounds the retries of a namespace together", () => {
  vi.useFakeTimers();
  const delays: number[] = [];
  const queue = new KeyedQueue({ firstRetryMs: 1, lastRetryMs: 1, retriesPerSecond: 10, retryBurst: 5 });
  vi.spyOn(queue, "addAfter").mockImplementation((_key, ms) => void delays.push(ms));
  for (let i = 0; i < 15; i++) queue.retry(`key-${i}`);
  expect(delays.slice(0, 5).every((ms) => ms <= 1)).toBe(true);
  expect(delays[14]).toBeCloseTo(1_000, -1);
});

test("closing lets every worker go", async () => {
  const queue = new KeyedQueue();
  const waiting = [queue.take(), queue.take()];
  queue.close();
  expect(await Promise.all(waiting)).toEqual([undefined, undefined]);
  expect(await queue.take()).toBeUndefined();
});

test("a tenant with a thousand keys delays another by one", async () => {
  const queue = new KeyedQueue();
  for (let i = 0; i < 1000; i++) queue.add(`many/${i}`);
  queue.add("one/a");
  expect([await queue.take(), await queue.take()]).toEqual(["many/0", "one/a"]);
});

test("a tenant whose keys do not end leaves a worker to the others, and goes on when one ends", async () => {
  const queue = new KeyedQueue({ atOnceByTenant: 2 });
  for (let i = 0; i < 10; i++) queue.add(`hangs/${i}`);
  expect([await queue.take(), await queue.take()]).toEqual(["hangs/0", "hangs/1"]);
  const third = queue.take();
  queue.add("other/a");
  expect(await third).toBe("other/a");
  const fourth = queue.take();
  queue.done("hangs/0");
  expect(await fourth).toBe("hangs/2");
});

test("what one tenant has tried again does not delay another's", () => {
  vi.useFakeTimers();
  const queue = new KeyedQueue({ retryBurst: 1, retriesPerSecond: 1, firstRetryMs: 10 });
  for (let i = 0; i < 60; i++) queue.retry(`fails/${i}`);
  queue.retry("other/a");
  vi.advanceTimersByTime(50);
  expect(queue.depth).toBe(2);
});
