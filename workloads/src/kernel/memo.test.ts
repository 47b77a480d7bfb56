import { expect, test } from "vitest";
import { Memo } from "./memo.ts";
import { ScanMemory } from "./scan-memory.ts";

const ROWS = 4;

test("combinations whose evaluation failed are evaluated again, in whatever order they come", async () => {
  const memory = new ScanMemory();
  const input = memory.textColumn(ROWS);
  const output = memory.numberColumn(ROWS);
  const memo = new Memo([input], [output]);
  const fill = (texts: readonly string[]) => {
    for (const [row, text] of texts.entries()) input.values[row] = input.dictionary.code(text);
    return Int32Array.from(texts.keys());
  };
  const lengths = async (rows: Int32Array) => {
    for (const row of rows) output.values[row] = input.dictionary.text(input.values[row] ?? 0).length;
    return await Promise.resolve({ rows, findings: new Map() });
  };
  await expect(memo.run(fill(["a", "bb", "ccc"]), () => Promise.reject(new Error("out of memory")))).rejects.toThrow();
  const { rows } = await memo.run(fill(["ccc", "a", "bb", "a"]), lengths);
  expect([...rows]).toEqual([0, 1, 2, 3]);
  expect([...output.values]).toEqual([3, 1, 2, 1]);
});
