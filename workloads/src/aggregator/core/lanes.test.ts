import { describe, expect, it } from "vitest";
import { ceiling, isForemost, joinLanes, judgedBy, laneKey, planLanes } from "./lanes.ts";

const order = ["a", "b", "c"];
const place = (table: string, partition: number, offset: number, epoch = 0, judgedBy: number | null = null) => ({
  ...{ table, partition, offset, epoch, judgedBy },
});

describe("lanes", () => {
  it("put tables at the same offset of a partition together, in the plan's order", () => {
    const lanes = planLanes([place("b", 0, 5), place("a", 0, 5), place("c", 0, 2), place("a", 1, 5)], order);
    expect(lanes.map((lane) => [lane.partition, lane.offset, laneKey(lane)])).toEqual([
      [0, 2, "c"],
      [0, 5, "a b"],
      [1, 5, "a"],
    ]);
  });

  it("keep each table's epoch, which its next commit compares", () => {
    const [lane] = planLanes([place("a", 0, 5, 3), place("b", 0, 5, 4)], order);
    expect(lane?.tables).toEqual([
      { table: "a", epoch: 3, judgedBy: null },
      { table: "b", epoch: 4, judgedBy: null },
    ]);
  });

  it("judge by the latest watermark that the progress of one of their tables stores", () => {
    const of = (...stored: (number | null)[]) =>
      planLanes(
        stored.map((watermark, index) => place(order[index] ?? "", 0, 5, 0, watermark)),
        order,
      ).map(judgedBy);
    expect([of(null, 7, 9), of(null, null), of(0, null)]).toEqual([[9], [null], [0]]);
  });

  it("stop at the next lane ahead, and join it there", () => {
    const lanes = planLanes([place("a", 0, 9), place("b", 0, 5), place("c", 0, 2)], order);
    expect(lanes.map((lane) => ceiling(lane, lanes))).toEqual([5, 9, undefined]);
    const [behind, middle, ahead] = lanes;
    if (behind === undefined || middle === undefined || ahead === undefined) throw new TypeError("three lanes");
    expect(joinLanes([{ ...behind, offset: 5 }, middle, ahead], order).map(laneKey)).toEqual(["b c", "a"]);
  });

  it("have one foremost a partition", () => {
    const lanes = planLanes([place("a", 0, 9), place("b", 0, 5), place("b", 1, 5)], order);
    expect(lanes.map((lane) => isForemost(lane, lanes))).toEqual([false, true, true]);
  });
});
