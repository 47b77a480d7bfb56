import { expect, it } from "vitest";
import { Assignments } from "./assignments.ts";

const never = new AbortController().signal;

it("waits for the group's first word, which may be that there is nothing to do", async () => {
  const assignments = new Assignments();
  const waiting = assignments.current(never);
  assignments.set([]);
  expect((await waiting).partitions).toEqual([]);
});

it("ends work when the partitions are others, and not when a rebalance leaves them as they were", async () => {
  const assignments = new Assignments();
  assignments.set([0, 1]);
  const first = await assignments.current(never);
  assignments.set([0, 1]);
  expect(first.changed.aborted).toBe(false);
  assignments.set([1]);
  expect(first.changed.aborted).toBe(true);
  expect((await assignments.current(never)).partitions).toEqual([1]);
});

it("stops waiting when the process drains", async () => {
  const drain = new AbortController();
  const waiting = new Assignments().current(drain.signal);
  drain.abort(new RangeError("draining"));
  await expect(waiting).rejects.toThrow("draining");
});
