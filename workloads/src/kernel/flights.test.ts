import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Flights } from "./flights.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "flights-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const rows = Int32Array.of(0, 1, 2, 3);
const origin = (partition: number) => ({
  topic: "events",
  partition: () => partition,
  offset: (row: number) => 100 + row,
});

/** What a life that is killed while it evaluates all rows leaves, with as many slots as partitions, the last one busy. */
async function killedIn(file: string, partitions: number): Promise<Buffer> {
  const flights = new Flights(file);
  const slots = Array.from({ length: partitions }, () => flights.slot());
  const last = slots.at(-1);
  let left = Buffer.alloc(0);
  await last?.during(rows, origin(partitions - 1), async () => {
    left = readFileSync(file);
    return await Promise.resolve();
  });
  flights.close();
  return left;
}

function suspectsIn(file: string): Flights["suspects"] {
  const flights = new Flights(file);
  const { suspects } = flights;
  flights.close();
  return suspects;
}

describe("the next life", () => {
  test.each([1, 2, 7])(
    "suspects what was evaluated last, when %i evaluate and the others never have",
    async (count) => {
      const file = join(folder, `busy-${count}`);
      const left = await killedIn(`${file}-before`, count);
      writeFileSync(file, left);
      const next = new Flights(file);
      expect(next.suspects).toEqual([{ topic: "events", ranges: [[count - 1, 100, 103]], deaths: 0 }]);
      const { runs } = next.slot().divide(rows, origin(count - 1));
      expect(runs.map((run) => [...run])).toEqual([
        [0, 1],
        [2, 3],
      ]);
    },
  );

  test("finds the deadly event of several partitions, whatever comes together then", async () => {
    // Rows of three partitions, four each, in turn; the sixth event of partition 1 kills whoever evaluates it.
    const all = Array.from({ length: 12 }, (_, index) => ({ partition: index % 3, offset: Math.floor(index / 3) + 4 }));
    const deadly = (row: { partition: number; offset: number } | undefined) => row?.partition === 1 && row.offset === 6;
    const file = join(folder, "mixed");
    const condemned: unknown[] = [];
    let lives = 0;
    for (; lives < 12 && condemned.length === 0; lives++) {
      const flights = new Flights(file);
      const flight = flights.slot();
      // Each life fetches them in another order.
      const order = lives % 2 === 0 ? all : [...all].sort((a, b) => a.partition - b.partition || a.offset - b.offset);
      const from = {
        topic: "events",
        partition: (row: number) => order[row]?.partition ?? 0,
        offset: (row: number) => order[row]?.offset ?? 0,
      };
      const { runs, condemned: found } = flight.divide(Int32Array.from(order.keys()), from);
      condemned.push(...found.map((row) => order[row]));
      let left: Buffer | undefined;
      for (const run of runs)
        await flight.during(run, from, async () => {
          if ([...run].some((row) => deadly(order[row]))) left ??= readFileSync(file);
          return await Promise.resolve();
        });
      flights.close();
      if (left !== undefined) writeFileSync(file, left);
    }
    expect(condemned).toEqual([{ partition: 1, offset: 6 }]);
    expect(lives).toBeLessThan(10);
  });

  test("begins whatever the file holds, also where the last one died while it wrote", async () => {
    const whole = await killedIn(join(folder, "whole"), 2);
    const file = join(folder, "torn");
    for (let length = 0; length < whole.length; length += length % 4096 < 100 ? 1 : 499) {
      writeFileSync(file, whole.subarray(0, length));
      expect(suspectsIn(file).length).toBeLessThan(2);
    }
    for (const text of [
      "null",
      "[]",
      "7",
      '{"topic":"events"}',
      '{"topic":1,"partition":0}',
      "\u0000\ufffd",
      "{",
      '{"topic":"events","ranges":[[0]],"deaths":0}',
    ]) {
      writeFileSync(file, `${text}\n`);
      expect(suspectsIn(file)).toEqual([]);
    }
  });
});
