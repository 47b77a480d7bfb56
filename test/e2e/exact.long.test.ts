/**
 * The promise, end to end: whatever is killed, stopped or restarted while events flow, the tables end as one pass over
 * the topic would leave them. `EXACT_SEED` repeats a schedule of faults.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Database, openDatabase } from "./support/database.ts";
import { killPod, random, signalPod } from "./support/faults.ts";
import { brokerPods, type ClusterKafka, openKafka, smallKafka, type TopicRecord } from "./support/kafka.ts";
import {
  apply,
  get,
  kubectl,
  list,
  NAMESPACE,
  type Pipeline,
  stagePods,
  SYSTEM_NAMESPACE,
  until,
  untilCondition,
} from "./support/kube.ts";
import { differences, type Expected } from "./support/oracle.ts";
import { produceTransactions } from "./support/transactions.ts";

const LIMIT = 200_000;
const seed = Number(process.env["EXACT_SEED"] ?? "20260101");

const pipeline = `
apiVersion: caudal.dev/v1alpha1
kind: StreamPipeline
metadata: { name: exact }
spec:
  deletionPolicy: Delete
  kafka: { clusterRef: { name: exact, listener: plain } }
  database: { cluster: { storage: { size: 1Gi } } }
  topics:
    - name: exact-events
      partitions: 6
      key: user_id
      timestamp: event_ts
      fields:
        - { name: user_id, type: string, nullable: true }
        - { name: event_type, type: string }
        - { name: event_ts, type: timestamp }
        - { name: amount, type: bigint, nullable: true }
        - { name: waiting_time_ms, type: double, nullable: true }
  generators:
    - name: events
      topic: exact-events
      rate: 2500
      limit: ${LIMIT}
      seed: ${seed}
      values:
        - { field: user_id, nulls: 0.02, choice: { from: 2000, prefix: u, distribution: zipf } }
        - { field: event_type, weighted: [{ value: view, weight: 80 }, { value: click, weight: 19 }, { value: rare, weight: 1 }] }
        - { field: event_ts, time: { start: "2026-01-01T00:00:00Z", step: 1ms, jitter: 20s } }
        - { field: amount, nulls: 0.9, uniform: { min: -1000000, max: 1000000 } }
        - { field: waiting_time_ms, nulls: 0.1, normal: { mean: 300, stddev: 120, min: 0 } }
  aggregators:
    - name: metrics
      topic: exact-events
      replicas: 2
      tables:
        - name: counts
          window: { tumbling: { size: 10s } }
          groupBy: [event_type]
          aggregates: ["count(*) as count", "count(amount) as amounts"]
        - name: user_sums
          window: { tumbling: { size: 30s } }
          groupBy: [user_id, event_type]
          aggregates: ["count(*) as count", "sum(amount) as total", "min(amount) as least_amount", "max(amount) as most_amount"]
        - name: user_waits
          window: { hopping: { size: 60s, advance: 20s } }
          groupBy: [user_id]
          aggregates: ["avg(waiting_time_ms) as average", "count(*) as count"]
`;

const window = (milliseconds: number, text = "event_ts") =>
  `make_timestamp((epoch_ms(${text}) // ${milliseconds}) * ${milliseconds} * 1000)`;
const stamp = (expression: string) => `strftime(${expression}, '%Y-%m-%d %H:%M:%S')`;
const columns = {
  user_id: "VARCHAR",
  event_type: "VARCHAR",
  event_ts: "TIMESTAMP",
  amount: "BIGINT",
  waiting_time_ms: "DOUBLE",
};
const expected: Expected[] = [
  {
    table: "counts",
    keys: ["window_start", "event_type"],
    values: ["count", "amounts"],
    sql: `select ${stamp(window(10_000))} as window_start, event_type, count(*) as count, count(amount) as amounts from events group by 1, 2`,
  },
  {
    table: "user_sums",
    keys: ["window_start", "user_id", "event_type"],
    values: ["count", "total", "least_amount", "most_amount"],
    sql: `select ${stamp(window(30_000))} as window_start, user_id, event_type, count(*) as count, sum(amount) as total, min(amount) as least_amount, max(amount) as most_amount from events group by 1, 2, 3`,
  },
  {
    table: "user_waits",
    keys: ["window_start", "user_id"],
    values: ["average", "count"],
    sql: `select ${stamp(`${window(20_000)} - to_seconds(20 * hop)`)} as window_start, user_id, avg(waiting_time_ms) as average, count(*) as count
          from events cross join generate_series(0, 2) hops(hop) group by 1, 2`,
  },
];

const operator = "app.kubernetes.io/name=caudal,app.kubernetes.io/component=operator";

let kafka: ClusterKafka;
let database: Database | undefined;

/** The topic goes with the pipeline, and while there is a Kafka to remove it from. */
async function remove(): Promise<void> {
  for (const kinds of ["streampipeline/exact", "kafkanodepool/exact", "kafka/exact"])
    await kubectl(["-n", NAMESPACE, "delete", kinds, "--ignore-not-found", "--timeout=180s"], "", 200_000);
}

beforeAll(async () => {
  await remove();
  // A Kafka of its own, because its broker is killed while other tests use the platform's.
  await apply(smallKafka("exact", "{ name: plain, port: 9092, type: internal, tls: false }"));
  await apply(pipeline);
  await untilCondition("exact", "Ready", "True", 240);
  kafka = await openKafka("exact");
  database = await openDatabase("exact-db");
});

afterAll(async () => {
  await database?.close();
  await kafka.close();
  await remove();
});

describe("exact tables under faults", () => {
  let records: TopicRecord[] = [];
  const done = { killed: 0, stopped: 0, operatorKilled: 0, brokerRestarted: 0, databaseRestarted: 0 };

  it("survives kills of aggregators, operator, broker and PostgreSQL and a stopped worker while transactions abort", async () => {
    const next = random(seed);
    const aborting = produceTransactions(kafka.kafka, "exact-events", {
      transactions: 30,
      events: 200,
      abortEvery: 3,
      pauseMs: 1_000,
      seed,
    });
    const killAggregator = async () => {
      await sleep(1_000 + next() * 5_000);
      // A pod whose process just died is restarted by the kubelet in place: the same pod, a new process.
      await until("a running aggregator to kill", 240, async () => {
        const pods = await stagePods("exact", "metrics");
        const pod = pods[Math.floor(next() * pods.length)];
        return pod !== undefined && signalPod(pod, "SIGKILL") > 0;
      });
      done.killed++;
    };
    const killOperator = async () => {
      await until("a running operator to kill", 240, async () => {
        const [pod] = await list("pods", operator, SYSTEM_NAMESPACE);
        return pod !== undefined && signalPod(pod, "SIGKILL") > 0;
      });
      done.operatorKilled++;
    };
    const stopped = (async () => {
      const [pod] = await until("a running aggregator to stop", 180, async () => {
        const pods = await stagePods("exact", "metrics");
        return pods.length > 0 && signalPod(pods[0] as never, "SIGSTOP") > 0 && pods;
      });
      // Longer than the group's session, so that its partitions move; liveness would kill it later, we wake it first.
      await sleep(40_000);
      if (pod !== undefined) signalPod(pod, "SIGCONT");
      done.stopped++;
    })();
    await killAggregator();
    await killOperator();
    await killAggregator();
    for (const pod of await brokerPods("exact")) await killPod(pod.metadata.name);
    done.brokerRestarted++;
    await killAggregator();
    await killOperator();
    await stopped;
    for (const pod of await list("pods", "cnpg.io/cluster=exact-db")) await killPod(pod.metadata.name);
    done.databaseRestarted++;
    await killAggregator();
    await killOperator();
    await killAggregator();
    await killAggregator();
    const produced = await aborting;
    expect(produced.committed).toBeGreaterThan(0);
    expect(produced.aborted).toBeGreaterThan(0);
    expect(done).toEqual({ killed: 6, stopped: 1, operatorKilled: 3, brokerRestarted: 1, databaseRestarted: 1 });
  });

  it("leaves all three tables equal, row by row, to what DuckDB computes from the topic", async () => {
    await until(
      "the generator to reach its limit",
      300,
      async () =>
        (await get<Pipeline>("streampipeline", "exact"))?.status?.stages?.find((stage) => stage.name === "events")
          ?.state === "Completed",
    );
    const query = (database ?? (database = await openDatabase("exact-db"))).query;
    let behind: unknown;
    await until(
      "the aggregator to reach the end of the topic",
      300,
      async () => {
        const ends = await kafka.ends("exact-events");
        const progress = await query<{ partition: number; next_offset: string }>(
          "select partition, min(next_offset) as next_offset from caudal.progress where topic = 'exact-events' group by 1",
        );
        behind = progress.filter((row) => Number(row.next_offset) < (ends.get(row.partition) ?? 0));
        return progress.length === ends.size && (behind as unknown[]).length === 0;
      },
      () => behind,
    );
    records = await kafka.readAll("exact-events");
    expect(records.length).toBeGreaterThanOrEqual(LIMIT);
    expect(await differences(records, columns, expected, database)).toEqual([]);
    const [nulls] = await query<{ groups: string; sums: string }>(
      "select count(*) filter (where user_id is null) as groups, count(*) filter (where total is null) as sums from user_sums",
    );
    expect(Number(nulls?.groups)).toBeGreaterThan(0);
    expect(Number(nulls?.sums)).toBeGreaterThan(0);
  });

  it("would see a single wrong row", async () => {
    const db = database as Database;
    expect(records.length).toBeGreaterThan(0);
    expect(await differences(records.slice(1), columns, expected, db)).not.toEqual([]);
  });
});
