/** What `caudal run` says is what PostgreSQL holds after a worker has read the same events from a topic. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import type { StreamPipeline, WorkloadConfig } from "@caudal/crds";
import { acceptedPipeline } from "../../../cli/src/pipeline/check.ts";
import { parsePipelines } from "../../../cli/src/pipeline/read.ts";
import type { ResultColumn } from "../../../cli/src/output/result.ts";
import { run } from "../../../cli/src/run/run.ts";
import { buildAggregatorConfig } from "../../../pipeline/src/workload-config.ts";
import { randomFrom } from "../../engine/aggregator/events.ts";
import { useScene } from "../../engine/aggregator/scene.ts";
import { startWorker, untilDone } from "../../engine/aggregator/stage.ts";

const newScene = useScene("clirun");
const folder = mkdtempSync(join(tmpdir(), "caudal-run-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const text = (topic: string) => `
apiVersion: caudal.dev/v1alpha1
kind: StreamPipeline
metadata: { name: sales }
spec:
  kafka: { clusterRef: { name: platform, listener: plain } }
  database: { cluster: { storage: { size: 1Gi } } }
  topics:
    - name: ${topic}
      timestamp: sold_at
      fields:
        - { name: sold_at, type: timestamp }
        - { name: shop, type: string, nullable: true }
        - { name: amount, type: "decimal(12,2)", nullable: true }
        - { name: pieces, type: bigint }
        - { name: weight, type: double, nullable: true }
        - { name: gift, type: boolean }
  aggregators:
    - name: totals
      topic: ${topic}
      where: pieces <> 13
      tables:
        - name: per_minute
          window: { tumbling: { size: 1m } }
          groupBy: [shop, gift, "(amount * 2)::decimal(12,1) % 3 as thirds"]
          aggregates: ["count(*) as n", "sum(amount) as total", "min(sold_at) as first", "max(shop) as last_shop"]
        - name: per_hop
          window: { hopping: { size: 10m, advance: 1m } }
          aggregates: ["avg(amount) as mean", "avg(pieces) as mean_pieces", "sum(pieces) as pieces", "sum(weight) as weight", "count(weight) as weighed"]
        - name: visits
          window: { session: { gap: 20s } }
          groupBy: [shop]
          aggregates: ["count(*) as n", "avg(amount) as mean", "max(weight) as heaviest", "sum(pieces) as pieces"]
`;

function events(count: number): string[] {
  const random = randomFrom(11);
  return Array.from({ length: count }, (_, i) => {
    const at = new Date(Date.parse("2026-02-03T04:00:00.000Z") + i * 900 - Math.floor(random() * 60_000)).toISOString();
    const large = random() < 0.02 ? 9_000_000_000_000_000 : 0;
    return JSON.stringify({
      sold_at: at,
      shop: random() < 0.1 ? null : `são ${Math.floor(random() * 6)}`,
      amount: random() < 0.1 ? null : (random() * 2000 - 700).toFixed(2),
      pieces: String(BigInt(Math.floor(random() * 20)) + BigInt(large)),
      weight: random() < 0.2 ? null : random() * 10,
      gift: random() < 0.5,
    });
  });
}

it("gives the rows that a worker writes to PostgreSQL, digit by digit", async () => {
  const { topic, database, config } = await newScene(3);
  const lines = [...events(3_000), '{"sold_at":"2026-02-03"}', "nonsense"];
  const [written] = parsePipelines(text(topic.name), "test");
  const pipeline: StreamPipeline = await acceptedPipeline(written ?? {}, "test");
  const [stage] = pipeline.spec.aggregators ?? [];
  if (stage === undefined) throw new TypeError("the pipeline has a stage");
  const aggregator: WorkloadConfig["aggregator"] = {
    ...buildAggregatorConfig(pipeline, stage),
    deadLetterTopic: `${topic.name}-dlq`,
  };
  const worker = await startWorker(config({ stage: "totals", aggregator }));
  for (let from = 0; from < lines.length; from += 500) await topic.send(lines.slice(from, from + 500));
  const names = ["per_minute", "per_hop", "visits"];
  await untilDone(database, topic.name, await topic.seal(), 60, names);

  const file = join(folder, "events.jsonl");
  writeFileSync(file, `${lines.join("\n")}\n`);
  const ran = await run(pipeline, { inputs: [file], lookups: [], events: 0, time: Date.now() });
  expect(ran.letters.map(({ place, reason }) => `${place} ${reason}`)).toEqual([
    "events.jsonl:3001 MissingField",
    "events.jsonl:3002 MalformedJson",
  ]);
  let compared = 0;
  for (const { name: table, result } of ran.shown) {
    const { columns, rows: shown } = result;
    const plain = (row: readonly (string | null)[]) =>
      JSON.stringify(columns.map((column, index) => comparable(column, row[index] ?? null)));
    const list = columns.map(({ name }) => `${name}::text`).join(", ");
    const stored = await database.query<Record<string, string | null>>(`select ${list} from ${table}`);
    const held = stored.map((row) => columns.map(({ name }) => row[name] ?? null));
    expect(shown.map(plain).sort(), table).toEqual(held.map(plain).sort());
    compared += shown.length;
  }
  expect(compared).toBeGreaterThan(500);
  expect(await worker.drain()).toBe(0);
});

/** Booleans have two spellings; a sum of doubles depends on the order of the events in its last digits. */
function comparable({ name, kind }: ResultColumn, value: string | null): string | null {
  if (value !== null && kind === "boolean") return value.slice(0, 1);
  return value !== null && name === "weight" ? String(Number(Number(value).toPrecision(12))) : value;
}
