import { expect, it } from "vitest";
import { IdleWatch } from "./idle.ts";
import { IDLE_CONFIRM_MS } from "./watermark.ts";

it("calls a partition idle when its end was reached and nothing came for the idle time", () => {
  const watch = new IdleWatch(1_000);
  watch.observe(0, 10, 10, 0);
  expect(watch.takeDue(999)).toEqual([]);
  watch.observe(0, 10, 10, 1_000);
  expect(watch.takeDue(1_000)).toEqual([{ partition: 0, nextOffset: 10 }]);
});

it("never calls a lagging partition idle", () => {
  const watch = new IdleWatch(1_000);
  watch.observe(0, 10, 10, 0);
  watch.observe(0, 10, 11, 900);
  expect(watch.takeDue(5_000)).toEqual([]);
  watch.observe(0, 11, 11, 5_000);
  watch.observe(0, 11, 11, 5_900);
  expect(watch.takeDue(5_999)).toEqual([]);
  expect(watch.takeDue(6_000)).toEqual([{ partition: 0, nextOffset: 11 }]);
});

it("begins again when the partition moved between two looks", () => {
  const watch = new IdleWatch(1_000);
  watch.observe(0, 10, 10, 0);
  watch.observe(0, 20, 20, 900);
  expect(watch.takeDue(1_100)).toEqual([]);
});

it("confirms again only after a while", () => {
  const watch = new IdleWatch(0);
  watch.observe(0, 1, 1, 0);
  expect(watch.takeDue(0)).toHaveLength(1);
  watch.observe(0, 1, 1, IDLE_CONFIRM_MS - 500);
  expect(watch.takeDue(IDLE_CONFIRM_MS - 1)).toHaveLength(0);
  expect(watch.takeDue(IDLE_CONFIRM_MS)).toHaveLength(1);
});

it("calls nothing idle that it has not looked at just now: it may have been stopped since", () => {
  const watch = new IdleWatch(1_000);
  watch.observe(0, 10, 10, 0);
  watch.observe(0, 10, 10, 1_000);
  expect(watch.takeDue(10_000)).toEqual([]);
  watch.observe(0, 10, 10, 10_000);
  expect(watch.takeDue(10_100)).toEqual([{ partition: 0, nextOffset: 10 }]);
});
