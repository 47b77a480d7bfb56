import { describe, expect, it } from "vitest";
import { chunksOf } from "./chunks.ts";

const size = (item: number) => item;

describe("chunks", () => {
  it("hold as many items as stay within the bytes, in order", () => {
    expect([...chunksOf([3, 4, 3, 1, 9, 2], size, 10)]).toEqual([[3, 4, 3], [1, 9], [2]]);
  });

  it("give an item that is too large a chunk of its own", () => {
    expect([...chunksOf([1, 20, 1], size, 10)]).toEqual([[1], [20], [1]]);
  });

  it("hold no more items than they may", () => {
    expect([...chunksOf([1, 1, 1, 1, 1], size, 10, 2)]).toEqual([[1, 1], [1, 1], [1]]);
  });

  it("are none of nothing", () => {
    expect([...chunksOf([], size, 10)]).toEqual([]);
  });
});
