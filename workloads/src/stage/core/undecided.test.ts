import { expect, it } from "vitest";
import { UndecidedWatch } from "./undecided.ts";

const end = (partition: number, lastStableOffset: number, highWatermark: number) => ({
  partition,
  lastStableOffset,
  highWatermark,
});

it("a transaction that stays open is known since it was first seen, with what waits behind it by now", () => {
  const watch = new UndecidedWatch();
  watch.observe(end(0, 10, 10), 1_000);
  expect(watch.of(0)).toBeUndefined();
  watch.observe(end(0, 10, 12), 2_000);
  watch.observe(end(0, 10, 500), 9_000);
  expect(watch.of(0)).toEqual({ offset: 10, records: 490, since: 2_000 });
});

it("one transaction after another is not one that hangs, and each partition is by itself", () => {
  const watch = new UndecidedWatch();
  for (const at of [1_000, 2_000, 3_000]) watch.observe(end(0, at, at + 5), at);
  watch.observe(end(1, 7, 8), 1_500);
  expect(watch.of(0)).toEqual({ offset: 3_000, records: 5, since: 3_000 });
  expect(watch.of(1)).toEqual({ offset: 7, records: 1, since: 1_500 });
});

it("it is forgotten when the transaction has ended, and when the partitions are someone else's", () => {
  const watch = new UndecidedWatch();
  watch.observe(end(0, 10, 12), 1_000);
  watch.observe(end(0, 12, 12), 2_000);
  expect(watch.of(0)).toBeUndefined();
  watch.observe(end(0, 12, 14), 3_000);
  watch.forget();
  expect(watch.of(0)).toBeUndefined();
});
