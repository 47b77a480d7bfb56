/** Expressions that take more memory or time than a stage has cost their event, and the process goes on or begins anew. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { limitMemory, type MemoryLimit } from "../memory-limit.ts";

const script = join(import.meta.dirname, "../../../workloads/src/kernel/testing/evaluate.ts");
const folder = mkdtempSync(join(tmpdir(), "caudal-evaluation-"));
let limit: MemoryLimit;
beforeAll(() => (limit = limitMemory("evaluation", 512 * 1024 * 1024)));
afterAll(() => {
  limit.remove();
  rmSync(folder, { recursive: true, force: true });
});

interface Outcome {
  readonly bad: readonly { readonly row: number; readonly reason: string; readonly detail: string }[];
  readonly written: readonly string[];
}

let count = 0;
/** What is about memory is not to be ended by time, however busy the machine is. */
const LONG_MS = 120_000;

async function evaluate(expression: string, texts: readonly string[], limitMs = LONG_MS): Promise<Outcome> {
  const file = join(folder, String(count++));
  const [program = "", ...args] = [
    ...limit.command,
    process.execPath,
    script,
    file,
    String(limitMs),
    expression,
    ...texts,
  ];
  const { stdout } = await promisify(execFile)(program, args);
  return JSON.parse(stdout) as Outcome;
}

const good = (text: string) => `{"v":"${text}"}`;

describe("within 512 MiB", () => {
  it.each([
    ["repeat(s, 3000000000)"],
    ["lpad(s, 2000000000, 'ab')"],
    ["len(range(3000000000 + n))"],
    ["len(list_transform(range(30000000), lambda i: repeat(s, i)))"],
    ["replace(repeat(s, 100000), 'x', repeat('y', 100000))"],
    ["array_to_string(range(200000000 + n), ',')"],
    ["printf('%2000000000d', n)"],
    ["repeat(s, 20000000)"],
  ])("%s is one dead letter", async (bomb) => {
    const { bad, written } = await evaluate(`case when s = 'x' then (${bomb})::varchar else s end`, [
      "a",
      "b",
      "x",
      "c",
    ]);
    expect(bad.map(({ row, reason }) => [row, reason])).toEqual([[2, "EvaluationFailed"]]);
    expect(written).toEqual(["a", "b", "c"].map(good));
  });
});

it("an expression that does not end is one dead letter of a later life", async () => {
  const endless = "case when s = 'x' then levenshtein(repeat(s, 4000000), repeat('y', 4000000))::varchar else s end";
  const { bad, written } = await evaluate(endless, ["a", "b", "c", "x", "d"], 1_000);
  expect(bad).toEqual([
    { row: 3, reason: "EvaluationFailed", detail: expect.stringContaining("ended twice") as string },
  ]);
  expect(written).toEqual(["a", "b", "c", "d"].map(good));
});
