import { describe, expect, it } from "vitest";
import { commitAround } from "./culprits.ts";

/** A database that refuses any run with one of the culprits, and the rows that it took in the end. */
async function run(count: number, culprits: readonly number[]) {
  const committed: number[] = [];
  const buried: number[] = [];
  const rows: number[] = [];
  await commitAround(
    { from: 0, to: count },
    {
      commit: async ({ from, to }) => {
        const run = Array.from({ length: to - from }, (_, index) => from + index);
        if (run.some((row) => culprits.includes(row))) return await Promise.resolve("refused");
        committed.push(...run);
        rows.push(...run);
        return undefined;
      },
      bury: async (row) => {
        buried.push(row);
        rows.push(row);
        await Promise.resolve();
      },
    },
  );
  return { committed, buried, rows };
}

describe("records that PostgreSQL refuses", () => {
  it.each([
    ["none", 8, []],
    ["the first", 8, [0]],
    ["the last", 7, [6]],
    ["several", 100, [3, 50, 51, 99]],
    ["the only one", 1, [0]],
    ["all", 5, [0, 1, 2, 3, 4]],
  ])("are found and the others committed in order: %s", async (_, count, culprits) => {
    const { committed, buried, rows } = await run(count, culprits);
    expect(buried).toEqual(culprits);
    expect(rows).toEqual(Array.from({ length: count }, (__, row) => row));
    expect(committed).toHaveLength(count - culprits.length);
  });
});
