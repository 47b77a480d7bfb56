import type { TopicConfig } from "@caudal/crds";
import { describe, expect, it, vi } from "vitest";
import { decodeBlock } from "../kafka/block.ts";
import { encodeBatch } from "../kafka/record-batch.fixture.ts";
import type { RecordBlock } from "../kafka/record-block.ts";
import { ComputedTexts } from "../kernel/computed-texts.ts";
import { GrowingColumn } from "../kernel/growing.ts";
import { Projection } from "../kernel/projection.ts";
import { RowWriter } from "../kernel/row-writer.ts";
import { compileTransformPlan } from "@caudal/pipeline/duckdb";
import { OpenBatch } from "./batch.ts";

const topic: TopicConfig = {
  name: "events",
  fields: [
    { name: "n", type: "integer", nullable: false },
    { name: "s", type: "string", nullable: true },
    { name: "p", type: "integer", nullable: false, from: "partition" },
  ],
};

interface Sent {
  readonly key?: string;
  readonly value: string | null;
}

/** What a fetch gives of one partition; its bytes are written over by the next one. */
function fetched(partition: number, first: number, sent: readonly Sent[]): RecordBlock {
  const records = sent.map(({ key = null, value }, index) => ({
    key,
    value,
    timestampDelta: index,
    headers: [["h", `${partition}/${first + index}`]] as const,
  }));
  const bytes = encodeBatch({ baseOffset: first, baseTimestamp: 1_700_000_000_000, records });
  return decodeBlock({
    topic: "events",
    partition,
    fetchOffset: first,
    lastStableOffset: 1e9,
    aborted: [],
    records: bytes,
  }).block;
}

async function batchOf(select: readonly string[], where?: string, tells = true) {
  const more = where === undefined ? {} : { where };
  const config = { topic, lookups: [], deadLetterTopic: "d", to: [], replicas: 1, select: [...select], ...more };
  const plan = await compileTransformPlan(config);
  const projection = await Projection.open(plan, topic, { wants: new Set(["json", "records", "columns"] as const) });
  let calls = 0;
  const counted = {
    add: async (...args: Parameters<Projection["add"]>) => {
      calls++;
      return await projection.add(...args);
    },
    take: () => projection.take(),
    discard: () => projection.discard(),
    get pendingRows() {
      return projection.pendingRows;
    },
    get pendingBytes() {
      return projection.pendingBytes;
    },
  };
  return { batch: new OpenBatch(counted, "out", tells), projection, calls: () => calls };
}

const event = (n: number, s = "a"): Sent => ({ key: `k${n}`, value: JSON.stringify({ n, s }) });
const position = (partition: number, offset: number) => ({ partition, offset, epoch: 0 });

async function add(batch: OpenBatch, block: RecordBlock): Promise<void> {
  const piece = { block, from: 0, to: block.count, nextOffset: block.nextOffset };
  await batch.add(position(block.partition, block.offsets[0] ?? 0), piece, 0);
  block.bytes.fill(0xff);
}

describe("what has come in all partitions", () => {
  it("is evaluated in one go, each row from where it came", async () => {
    const { batch, projection, calls } = await batchOf(["n", "p", "upper(s) || n as t"]);
    await add(batch, fetched(4, 100, [event(1), event(2)]));
    await add(batch, fetched(0, 7, [event(3, "b")]));
    await add(batch, fetched(4, 102, [event(4)]));
    expect(batch.size(0).rows).toBe(4);
    const { rows, letters, events } = await batch.seal();
    expect(calls()).toBe(1);
    expect([...rows.partitions]).toEqual([4, 4, 0, 4]);
    expect([...rows.offsets]).toEqual([100, 101, 7, 102]);
    expect(rows.moves.map(({ partition, from, to }) => [partition, from, to])).toEqual([
      [0, 7, 8],
      [4, 100, 103],
    ]);
    const json = Array.from({ length: rows.count }, (_, row) =>
      rows.json?.bytes.toString("utf8", rows.json.starts[row], rows.json.ends[row]),
    );
    expect(json).toEqual([
      '{"n":1,"p":4,"t":"A1"}',
      '{"n":2,"p":4,"t":"A2"}',
      '{"n":3,"p":0,"t":"B3"}',
      '{"n":4,"p":4,"t":"A4"}',
    ]);
    expect([letters, events]).toEqual([[], 4]);
    expect((await batch.seal()).rows.count).toBe(0);
    await projection.close();
  });

  it.each([
    ["no event", { key: "bad", value: "{" }, "MalformedJson"],
    ["a tombstone", { key: "bad", value: null }, "Tombstone"],
    ["an event that an expression fails on", { key: "bad", value: '{"n":0,"s":"x"}' }, "EvaluationFailed"],
  ])("has %s in the dead letters as it came, with its partition and offset", async (_, bad, reason) => {
    const { batch, projection } = await batchOf(["n", "case when n = 0 then s::integer::varchar else s end as t"]);
    await add(batch, fetched(2, 10, [event(1), event(2)]));
    await add(batch, fetched(1, 50, [event(3), bad, event(4)]));
    await add(batch, fetched(3, 10, [event(5)]));
    const { rows, letters } = await batch.seal();
    expect(Array.from(rows.offsets, (offset, row) => [rows.partitions[row], offset])).toEqual([
      ...[[2, 10] as const, [2, 11] as const, [1, 50] as const, [1, 52] as const, [3, 10] as const],
    ]);
    expect(letters).toEqual([
      {
        partition: 1,
        reason,
        detail: expect.any(String) as string,
        record: {
          offset: 51,
          timestamp: 1_700_000_000_001,
          key: Buffer.from("bad"),
          value: bad.value === null ? null : Buffer.from(bad.value),
          headers: [["h", Buffer.from("1/51")]],
        },
      },
    ]);
    await projection.close();
  });

  // A double: no value is known that a writer throws on.
  it.each([
    ["a value as JSON", RowWriter.prototype, "writeValues"],
    ["a record", RowWriter.prototype, "writeRecords"],
    ["a computed text", ComputedTexts.prototype, "write"],
    ["a column", GrowingColumn.prototype, "add"],
  ] as const)(
    "loses the one row of which %s cannot be written, to every output's dead letters",
    async (_, of, name) => {
      const { batch, projection } = await batchOf(["n", "upper(s) as t"], undefined, false);
      const write = (of as unknown as Record<string, (...args: unknown[]) => unknown>)[name];
      const spy = vi.spyOn(of as unknown as Record<string, (...args: unknown[]) => unknown>, name);
      spy.mockImplementation(function (this: unknown, ...args: unknown[]) {
        const rows = args.find((arg) => arg instanceof Int32Array);
        const result = write?.apply(this, args);
        if (rows?.includes(3) === true) throw new RangeError("no such text");
        return result;
      });
      await add(batch, fetched(2, 10, [event(1), event(2)]));
      await add(batch, fetched(1, 50, [event(3), event(4), event(5)]));
      const { rows, letters, events } = await batch.seal();
      spy.mockRestore();
      expect([...rows.offsets]).toEqual([10, 11, 50, 52]);
      expect([...rows.partitions]).toEqual([2, 2, 1, 1]);
      const json = Array.from({ length: rows.count }, (_, row) =>
        rows.json?.bytes.toString("utf8", rows.json.starts[row], rows.json.ends[row]),
      );
      expect(json).toEqual([1, 2, 3, 5].map((n) => `{"n":${n},"t":"A"}`));
      expect([rows.records?.hashes.length, rows.records?.values.ends.length]).toEqual([4, 4]);
      expect(
        rows.columns.map((column) => (column.kind === "text" ? column.bytes.toString() : [...column.values])),
      ).toEqual([[1, 2, 3, 5], "AAAA"]);
      expect(
        letters.map(({ partition, record, reason, detail }) => [partition, record.offset, reason, detail]),
      ).toEqual([[1, 51, "RefusedByOutput", "output out: cannot be written: no such text"]]);
      expect(events).toBe(5);
      await projection.close();
    },
  );

  it("keeps the order of a partition where a large piece follows a small one", async () => {
    const { batch, projection, calls } = await batchOf(["n", "n + 1 as m"], "n >= 0");
    await add(batch, fetched(0, 0, [event(0), event(1)]));
    await add(
      batch,
      fetched(
        0,
        2,
        Array.from({ length: 1_000 }, (_, index) => event(2 + index)),
      ),
    );
    await add(batch, fetched(0, 1_002, [event(1_002)]));
    const { rows } = await batch.seal();
    expect(calls()).toBe(3);
    expect([...rows.offsets]).toEqual(Array.from({ length: 1_003 }, (_, index) => index));
    await projection.close();
  });

  it("does not wait for more than one evaluation is worth", async () => {
    const { batch, projection, calls } = await batchOf(["n", "upper(s) as t"]);
    for (let partition = 0; partition < 200; partition++) await add(batch, fetched(partition, 0, [event(partition)]));
    expect(calls()).toBe(4);
    expect((await batch.seal()).rows.count).toBe(200);
    await projection.close();
  });

  it("is forgotten with the batch", async () => {
    const { batch, projection } = await batchOf(["n"]);
    await add(batch, fetched(0, 0, [event(1)]));
    batch.discard();
    expect(batch.size(0)).toEqual({ rows: 0, bytes: 0, ageMs: 0 });
    expect((await batch.seal()).rows.count).toBe(0);
    await projection.close();
  });
});
