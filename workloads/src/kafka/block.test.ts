import { gzipSync, zstdCompressSync } from "node:zlib";
import { compressionsAlgorithms } from "@platformatic/kafka";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BatchEncoder } from "./batch-encoder.ts";
import { decodeBlock, type FetchedBytes } from "./block.ts";
import { CorruptBatch, FormatUnsupported } from "./errors.ts";
import {
  APPEND_TIME,
  encodeBatch,
  encodeMarker,
  type FixtureBatch,
  type FixtureRecord,
  TRANSACTIONAL,
} from "./record-batch.fixture.ts";
import { type RecordBlock, valueAt } from "./record-block.ts";

const traceparent = (n: number): string => `00-${String(n).padStart(32, "0")}-00f067aa0ba902b7-01`;

function decode(
  batches: readonly Buffer[],
  more: Partial<FetchedBytes> = {},
  unpackBytes?: number,
): ReturnType<typeof decodeBlock>["block"] {
  const records = Buffer.concat(batches);
  const fetched = { topic: "t", partition: 1, fetchOffset: 0, lastStableOffset: 1e9, aborted: [], records, ...more };
  return decodeBlock(fetched, unpackBytes).block;
}

const batch = (
  baseOffset: number,
  values: readonly FixtureRecord["value"][],
  more: Partial<FixtureBatch> = {},
): Buffer => encodeBatch({ baseOffset, records: values.map((value) => ({ value: value ?? null })), ...more });

const valuesOf = (block: RecordBlock) =>
  Array.from({ length: block.count }, (_, row) => valueAt(block, row)?.toString() ?? null);

describe("a block", () => {
  it("has a row a record: its value, offset and time", () => {
    const block = decode([
      encodeBatch({
        baseOffset: 10,
        baseTimestamp: 1_700_000_000_000,
        leaderEpoch: 5,
        records: [
          { value: '{"a":1}', timestampDelta: 7 },
          { value: "", key: "k" },
          { value: null, timestampDelta: -3 },
        ],
      }),
    ]);
    expect(block).toMatchObject({ topic: "t", partition: 1, count: 3, nextOffset: 13, leaderEpoch: 5 });
    expect(valuesOf(block)).toEqual(['{"a":1}', "", null]);
    expect([...block.offsets]).toEqual([10, 11, 12]);
    expect([...block.timestamps]).toEqual([1_700_000_000_007, 1_700_000_000_000, 1_699_999_999_997]);
  });

  it("has the broker's time where the broker stamps records", () => {
    const block = decode([batch(0, ["1", "2"], { attributes: APPEND_TIME, baseTimestamp: 5, maxTimestamp: 99 })]);
    expect([...block.timestamps]).toEqual([99, 99]);
    expect(block.original(1).timestamp).toBe(99);
  });

  it("begins at the offset asked for, in the middle of a batch, and rows stay rows of the originals", () => {
    const block = decode([batch(0, ["0", "1", "2"]), batch(3, ["3", "4"])], { fetchOffset: 2 });
    expect(valuesOf(block)).toEqual(["2", "3", "4"]);
    expect([0, 1, 2].map((row) => block.original(row).offset)).toEqual([2, 3, 4]);
    expect(() => block.original(3)).toThrow(RangeError);
  });

  it("counts offsets across gaps, empty batches and a batch that is cut off", () => {
    const cut = batch(40, ["never"]);
    const block = decode([
      encodeBatch({ baseOffset: 0, lastOffsetDelta: 9, records: [{ value: "a", offsetDelta: 4 }] }),
      encodeBatch({ baseOffset: 20, lastOffsetDelta: 5, records: [] }),
      cut.subarray(0, cut.length - 1),
    ]);
    expect([...block.offsets]).toEqual([4]);
    expect(block.nextOffset).toBe(26);
  });

  it("stays where it is when only a part of a batch came", () => {
    const part = batch(7, ["x"]);
    for (const length of [0, 10, 61, part.length - 1])
      expect(decode([part.subarray(0, length)], { fetchOffset: 7 })).toMatchObject({ count: 0, nextOffset: 7 });
  });

  it("collects distinct traceparents, at most 32", () => {
    const records = Array.from({ length: 80 }, (_, i) => ({
      value: "1",
      headers: [
        ["other", null],
        ["traceparent", traceparent(i >> 1)],
      ] as const,
    }));
    const block = decode([encodeBatch({ baseOffset: 0, records })]);
    expect(block.traceparents).toEqual(Array.from({ length: 32 }, (_, i) => traceparent(i)));
    expect(block.original(79).headers.map(([name]) => name)).toEqual(["other", "traceparent"]);
  });
});

describe("codecs", () => {
  const { snappyCompress, lz4Compress } = {
    snappyCompress: (bytes: Buffer): Buffer => compressionsAlgorithms.snappy.compressSync(bytes),
    lz4Compress: (bytes: Buffer): Buffer => compressionsAlgorithms.lz4.compressSync(bytes),
  };
  const xerial = (bytes: Buffer): Buffer => {
    const chunk = snappyCompress(bytes);
    const header = Buffer.from("82534e41505059000000000100000001", "hex");
    const length = Buffer.alloc(4);
    length.writeUInt32BE(chunk.length);
    return Buffer.concat([header, length, chunk]);
  };

  it.each([
    ["gzip", 1, gzipSync],
    ["raw snappy", 2, snappyCompress],
    ["framed snappy", 2, xerial],
    ["lz4", 3, lz4Compress],
    ["zstd", 4, zstdCompressSync],
  ] as const)("read %s", (_name, attributes, pack) => {
    const values = Array.from({ length: 500 }, (_, i) => `{"i":${i}}`);
    const block = decode([batch(0, values, { attributes, pack: (bytes) => pack(bytes) })]);
    expect(valuesOf(block)).toEqual(values);
    expect(block.original(499).value?.toString()).toBe('{"i":499}');
  });

  it("unpack as much as is wanted, and leave the rest to be fetched again", () => {
    const packed = [0, 2, 4].map((offset) =>
      batch(offset, ["a".repeat(1_000), "b"], { attributes: 1, pack: (bytes) => gzipSync(bytes), leaderEpoch: offset }),
    );
    const offsetsWithin = (bytes: number) => {
      const { offsets, nextOffset, leaderEpoch } = decode(packed, {}, bytes);
      return { offsets: [...offsets], nextOffset, leaderEpoch };
    };
    expect(offsetsWithin(1)).toEqual({ offsets: [0, 1], nextOffset: 2, leaderEpoch: 0 });
    expect(offsetsWithin(1_500)).toEqual({ offsets: [0, 1, 2, 3], nextOffset: 4, leaderEpoch: 2 });
    expect(offsetsWithin(3_500)).toEqual({ offsets: [0, 1, 2, 3, 4, 5], nextOffset: 6, leaderEpoch: 4 });
  });

  it.each([
    ["gzip", 1, gzipSync],
    ["snappy", 2, snappyCompress],
    ["lz4", 3, lz4Compress],
    ["zstd", 4, zstdCompressSync],
  ] as const)("refuse a %s batch that would take the memory", (name, attributes, pack) => {
    const values = [Buffer.alloc(65 * 1024 * 1024)];
    expect(() => decode([batch(0, values, { attributes, pack: (bytes) => pack(bytes) })])).toThrow(
      `a ${name} batch unpacks to more than 67108864 bytes`,
    );
  });

  it("that are unknown, and message formats before v2, are clear errors", () => {
    expect(() => decode([batch(0, ["1"], { attributes: 6 })])).toThrow(FormatUnsupported);
    const old = batch(0, ["1"]);
    old[16] = 1;
    expect(() => decode([old])).toThrow(/message format v1/);
  });

  it("that do not unpack are corrupt, not skipped", () => {
    for (const attributes of [1, 2, 3, 4])
      expect(() => decode([batch(0, ["no codec made this"], { attributes })])).toThrow(CorruptBatch);
  });
});

describe("checksums", () => {
  it("notice any changed bit of what they cover", () => {
    const good = batch(3, ['{"a":1}']);
    fc.assert(
      fc.property(fc.integer({ min: 21 * 8, max: good.length * 8 - 1 }), (bit) => {
        const bad = Buffer.from(good);
        bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(() => decode([bad])).toThrow(CorruptBatch);
      }),
      { numRuns: 100 },
    );
  });
});

describe("transactions", () => {
  const transactional = (baseOffset: number, producerId: number, value: string): Buffer =>
    batch(baseOffset, [value], { producerId, attributes: TRANSACTIONAL });

  it("that were aborted are left out up to their marker, and their producer's next is read", () => {
    const block = decode(
      [
        transactional(0, 7, "aborted"),
        transactional(1, 8, "committed"),
        batch(2, ["plain"], { producerId: 7 }),
        encodeMarker(3, 7, "abort"),
        transactional(4, 7, "next"),
        encodeMarker(5, 8, "commit"),
        transactional(6, 7, "aborted again"),
        encodeMarker(7, 7, "abort"),
      ],
      {
        aborted: [
          { producerId: 7, firstOffset: 6 },
          { producerId: 7, firstOffset: 0 },
        ],
      },
    );
    expect(valuesOf(block)).toEqual(["committed", "plain", "next"]);
    expect(block.nextOffset).toBe(8);
  });

  it("are read to the last stable offset and no further", () => {
    const block = decode([transactional(0, 7, "stable"), transactional(1, 7, "open")], { lastStableOffset: 1 });
    expect(block).toMatchObject({ count: 1, nextOffset: 1 });
  });
});

describe("our own batches", () => {
  it("decode to what was put in, whatever it was", () => {
    const bytes = fc.option(fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array)));
    const record = fc.record({
      time: fc.integer({ min: 0, max: 2 ** 45 }),
      key: bytes,
      value: fc.oneof(bytes, fc.string({ unit: "grapheme" })),
      headers: fc.array(fc.tuple(fc.string(), bytes), { maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 30 }), (records) => {
        const encoder = new BatchEncoder(16);
        for (const { time, key, value, headers } of records) encoder.append(time, key, value, headers);
        const block = decode([encoder.finish({ producerId: 1n, producerEpoch: 0, baseSequence: 0 })]);
        expect(block.count).toBe(records.length);
        records.forEach(({ time, key, value, headers }, row) => {
          expect(block.original(row)).toEqual({
            offset: row,
            timestamp: time,
            key,
            value: value === null ? null : Buffer.from(value),
            headers,
          });
        });
        expect(valuesOf(block)).toEqual(
          records.map(({ value }) => (value === null ? null : Buffer.from(value).toString())),
        );
      }),
      { numRuns: 200 },
    );
  });
});
