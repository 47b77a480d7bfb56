import fc from "fast-check";
import { expect, test } from "vitest";
import { BatchEncoder } from "../kafka/batch-encoder.ts";
import { decodeBlock } from "../kafka/block.ts";
import { partitionOf } from "../kafka/core/murmur2.ts";
import type { RecordBlock } from "../kafka/record-block.ts";
import { Projection } from "../kernel/projection.ts";
import { topicOf } from "@caudal/pipeline/testing";
import { compileTransformPlan } from "@caudal/pipeline/duckdb";
import { RecordBatches } from "./record-batches.ts";

const PARTITIONS = 3;
const SOURCE = 7;
const FIRST_TIME = Date.parse("2026-01-01T00:00:00Z");
const NUMBERS = { producerId: 1n, producerEpoch: 0, baseSequence: 0 };
const topic = topicOf({ id: "integer", kind: "string?", x: "double?", doc: "json?" });

/** An event as it is written: by field, its JSON. */
type Event = Readonly<Partial<Record<"id" | "kind" | "x" | "doc", string>>>;

interface Source {
  readonly event: Event;
  /** Spaces between tokens, and a member that is not declared. */
  readonly space: string;
  readonly other: string;
  readonly reversed: boolean;
  readonly key: string | null;
  readonly time: number;
  readonly headers: readonly (readonly [string, string | null])[];
}

interface Form {
  readonly where?: string;
  readonly select?: readonly string[];
  readonly key?: string;
  readonly passes: (event: Event) => boolean;
  /** The columns' JSON by name; the whole value where events go on as they came. */
  readonly columns?: (event: Event) => Readonly<Record<string, string | undefined>>;
}

const big = ({ x }: Event) => (x === undefined || x === "null" ? "null" : String(Number(x) > 1));
const upper = ({ kind = "null" }: Event) => JSON.stringify((JSON.parse(kind) as string | null)?.toUpperCase() ?? null);
const fields = ({ id, kind, x, doc }: Event) => ({ id, kind, x, doc });
const forms: readonly Form[] = [
  { passes: () => true },
  { where: "id > 4", key: "kind", passes: ({ id }) => Number(id) > 4 },
  {
    ...{ where: "x > 1", select: ["doc", "id", "kind as sort", "kind", "x > 1 as big"], key: "sort" },
    passes: (event) => big(event) === "true",
    columns: ({ doc, id, kind }) => ({ doc, id, sort: kind, kind, big: "true" }),
  },
  {
    ...{ select: ["id", "x", "x > 1 as big"], key: "big", passes: () => true },
    columns: (event) => ({ id: event.id, x: event.x, big: big(event) }),
  },
  {
    ...{ select: ["upper(kind) as kind", "id + 1 as next"], key: "kind", passes: () => true },
    columns: (event) => ({ kind: upper(event), next: String(Number(event.id) + 1) }),
  },
  { select: ["*"], key: "doc", passes: () => true, columns: fields },
  { select: ["id", "x"], key: "x", passes: () => true, columns: ({ id, x }) => ({ id, x }) },
];

const text = fc.constantFrom('"a"', '""', '"é😀"', '"a\\u00e9\\"}{"', '"\\\\"', `"${"long ".repeat(120)}"`, "null");
const sources: fc.Arbitrary<Source> = fc.record({
  event: fc.record(
    {
      id: fc.integer({ min: 0, max: 9 }).map(String),
      kind: text,
      x: fc.constantFrom("0.5", "1", "1.50", "2e3", "1.5E-1", "12345678901234567890", "null"),
      doc: fc.oneof(fc.constantFrom('{"a": [1, "]"]}', "[ ]", '"\\u0041"', "1.0", "true"), text),
    },
    { requiredKeys: ["id"] },
  ),
  space: fc.constantFrom("", "", " ", "\n\t"),
  other: fc.constantFrom("", "", '"other":{"kind":"no"}', '"K":[1]'),
  reversed: fc.boolean(),
  key: fc.oneof(fc.constantFrom(null, "", "k".repeat(300)), fc.string()),
  time: fc.integer({ min: -100_000, max: 100_000 }),
  headers: fc.array(fc.tuple(fc.string(), fc.oneof(fc.constant(null), fc.string())), { maxLength: 2 }),
});

function valueOf({ event, space, other, reversed }: Source): string {
  const members = Object.entries(event).map(([name, json]) => `"${name}"${space}:${space}${json}`);
  const all = other === "" ? members : [...members, other];
  return `{${space}${(reversed ? all.reverse() : all).join(`${space},${space}`)}${space}}`;
}

interface Written {
  readonly key: string | null;
  readonly value: string;
  readonly time: number;
  readonly headers: readonly (readonly [string, string | null])[];
}

/** What a form makes of an event, by plain JavaScript. */
function written({ columns, key: keyColumn }: Form, source: Source): Written {
  const { event, time, headers } = source;
  const shown = columns?.(event);
  const pairs = Object.entries(shown ?? {}).map(([name, json]) => `"${name}":${json ?? "null"}`);
  const json = keyColumn === undefined ? undefined : ((shown ?? fields(event)) as Record<string, string>)[keyColumn];
  const own = keyColumn === undefined;
  return {
    key: own ? source.key : keyText(json),
    value: shown === undefined ? valueOf(source) : `{${pairs.join(",")}}`,
    time: FIRST_TIME + time,
    headers,
  };
}

function keyText(json: string | undefined): string | null {
  if (json === undefined || json === "null") return null;
  return json.startsWith('"') ? (JSON.parse(json) as string) : json;
}

function decoded(bytes: Buffer, partition: number): RecordBlock {
  const fetched = { topic: "events", partition, fetchOffset: 0, lastStableOffset: Infinity, aborted: [] };
  return decodeBlock({ ...fetched, records: Buffer.from(bytes) }).block;
}

function recordsOf(block: RecordBlock): Written[] {
  return Array.from({ length: block.count }, (_, row) => {
    const { key, value, headers } = block.original(row);
    return {
      key: key?.toString() ?? null,
      value: value?.toString() ?? "",
      time: block.timestamps[row] ?? 0,
      headers: headers.map(([name, content]) => [name, content?.toString() ?? null] as const),
    };
  });
}

test("records hold what the form says, in the partition of their key, in their order and in batches that fit", async () => {
  const projections = await Promise.all(
    forms.map(async ({ where, select, key }) => {
      const sql = {
        ...(where === undefined ? {} : { where }),
        ...(select === undefined ? {} : { select: [...select] }),
      };
      const plan = await compileTransformPlan({
        topic,
        lookups: [],
        deadLetterTopic: "d",
        to: [],
        replicas: 1,
        ...sql,
      });
      const wanted = { wants: new Set(["records"] as const), ...(key === undefined ? {} : { recordKey: key }) };
      return await Projection.open(plan, topic, wanted);
    }),
  );
  const batches = new RecordBatches();
  const check = async (list: readonly Source[], most: number): Promise<void> => {
    const encoder = new BatchEncoder();
    for (const source of list) encoder.append(FIRST_TIME + source.time, source.key, valueOf(source), source.headers);
    const block = decoded(encoder.finish(NUMBERS), SOURCE);
    for (const [index, form] of forms.entries()) {
      const projection = projections[index];
      if (projection === undefined) continue;
      const { bad } = await projection.add(block, { from: 0, to: block.count });
      expect(bad).toEqual([]);
      const expected = list.filter(({ event }) => form.passes(event)).map((source) => written(form, source));
      const encoded = batches.encode(projection.take(), PARTITIONS, most);
      for (let partition = 0; partition < PARTITIONS; partition++) {
        const finished = (encoded.get(partition) ?? []).map((batch) => decoded(batch.finish(NUMBERS), partition));
        for (const batch of finished) expect(batch.count === 1 || batch.bytes.length <= most).toBe(true);
        const target = ({ key }: Written) =>
          key === null ? SOURCE % PARTITIONS : partitionOf(Buffer.from(key), PARTITIONS);
        expect(finished.flatMap(recordsOf)).toEqual(expected.filter((record) => target(record) === partition));
      }
      batches.recycle(encoded.values());
    }
  };
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(sources, { minLength: 1, maxLength: 60 }), fc.constantFrom(400, 10_000_000), check),
      { numRuns: 25, seed: 5, endOnFailure: true },
    );
  } finally {
    for (const projection of projections) await projection.close();
  }
}, 120_000);
