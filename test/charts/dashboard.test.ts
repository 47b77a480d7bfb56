/**
 * Every query of the dashboard, put to a real Prometheus that scrapes the cluster through its API server while a
 * pipeline of this suite runs. Needs what `npm run demo` leaves: the operator, the Kafka and a database cluster.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { poll } from "../cluster/host/poll.ts";
import { openKafka } from "../e2e/support/kafka.ts";
import { apply, kubeconfig, kubectl, NAMESPACE, SYSTEM_NAMESPACE, until, untilCondition } from "../e2e/support/kube.ts";
import { dashboard, fill, queries } from "./support/dashboard.ts";
import { chartFolder } from "./support/helm.ts";
import { type Prometheus, type Sample, startPrometheus } from "./support/prometheus.ts";
import { type Scrape, scrapeThroughApiServer } from "./support/scrape.ts";

const name = "dashboard";
const pipeline = `
apiVersion: caudal.dev/v1alpha1
kind: StreamPipeline
metadata: { name: ${name} }
spec:
  deletionPolicy: Delete
  kafka: { clusterRef: { name: platform, listener: plain } }
  database: { clusterRef: { name: app-events-db } }
  topics:
    - name: dashboard-events
      partitions: 2
      timestamp: at
      fields:
        - { name: kind, type: string }
        - { name: at, type: timestamp }
  generators:
    - name: events
      topic: dashboard-events
      interval: 500ms
      count: 20
      seed: 7
      values: [{ field: at, now: {} }]
  aggregators:
    - name: counts
      topic: dashboard-events
      watermark: { maxDelay: 1s, idleTimeout: 10s }
      tables:
        - name: dashboard_counts
          window: { tumbling: { size: 10s } }
          groupBy: [kind]
          aggregates: ["count(*) as n"]
`;

let scrape: Scrape | undefined;
let prometheus: Prometheus;

beforeAll(async () => {
  await apply(pipeline);
  await untilCondition(name, "Ready", "True", 240);
  scrape = await scrapeThroughApiServer(kubeconfig, [NAMESPACE, SYSTEM_NAMESPACE]);
  const rules = readFileSync(join(chartFolder("caudal"), "alerts/caudal.yaml"), "utf8");
  prometheus = await startPrometheus({ config: scrape.config, rules });
  await until("the aggregator's watermark moves", 240, async () => {
    const watermark = await prometheus.query(`min(caudal_watermark_timestamp_seconds{pipeline="${name}"})`);
    return (watermark[0]?.value ?? 0) > Date.now() / 1000 - 60;
  });
  await sendTrouble();
});

afterAll(async () => {
  await prometheus?.stop();
  await scrape?.remove();
  await kubectl(["-n", NAMESPACE, "delete", "streampipeline", name, "--ignore-not-found", "--timeout=120s"], "", 150_000);
});

/** Panels of what this pipeline has not: sources, transforms, final rows, retention. */
const kinds = [
  ...["Log kept by databases", "Sources held back", "Output lag", "Output rows"],
  ...["Final rows", "Retention", "Deleted and expired"],
];
const choice = { namespace: NAMESPACE, pipeline: name, stage: ".*" };

describe("the dashboard on a running cluster", () => {
  it.each(queries(choice).filter(([title]) => kinds.some((kind) => title.startsWith(kind))))(
    "can evaluate %s",
    async (_, expression) => void (await prometheus.query(expression)),
  );

  it.each(queries(choice).filter(([title]) => !kinds.some((kind) => title.startsWith(kind))))("has data in %s", async (_, expression) => {
    const samples = await poll(() => answer(expression), {
      seconds: 120,
      onTimeout: async () =>
        `no data for ${expression}\n${(await prometheus.targets()).map(({ scrapeUrl, health, lastError }) => `${scrapeUrl} ${health} ${lastError}`).join("\n")}`,
    });
    expect(samples.length).toBeGreaterThan(0);
  });

  it("has choices for each of its variables", async () => {
    for (const { name: variable, definition } of dashboard.templating.list.filter(({ type }) => type === "query")) {
      const [, selector = "", label = ""] = /^label_values\((.+), (\w+)\)$/.exec(definition ?? "") ?? [];
      const values = (await prometheus.series(fill(selector, choice))).map((series) => series[label]);
      const expected = { namespace: NAMESPACE, pipeline: name, stage: "counts" }[variable];
      expect(values, variable).toContain(expected);
    }
  });

  it("shows nothing of a pipeline that does not exist, so that data means something", async () => {
    const ofNobody = queries({ ...choice, pipeline: "nobody" }).filter(([title]) => title.startsWith("Throughput"));
    expect(ofNobody).toHaveLength(1);
    expect(await prometheus.query(ofNobody[0]?.[1] ?? "")).toEqual([]);
  });

  it("shows the late event and the dead letter that were sent, and no failed request of the operator", async () => {
    const sum = async (expression: string): Promise<number> => (await prometheus.query(expression))[0]?.value ?? 0;
    expect(await sum(`sum(caudal_late_events_total{pipeline="${name}"})`)).toBe(1);
    expect(await sum(`sum(caudal_dead_letters_total{pipeline="${name}"})`)).toBe(1);
    expect(await sum(`sum(rest_client_requests_total{code="403"})`)).toBe(0);
  });

  it("raises the alert about dead letters, and every alert can be evaluated", async () => {
    const rules = await prometheus.rules();
    expect(rules.filter(({ health }) => health !== "ok")).toEqual([]);
    const raised = rules.find((rule) => rule.name === "CaudalDeadLetters")?.alerts ?? [];
    expect(raised.map(({ labels, state }) => ({ pipeline: labels["pipeline"], reason: labels["reason"], state }))).toContainEqual({
      pipeline: name,
      reason: "MalformedJson",
      state: "firing",
    });
  });
});

/** What an expression gives, unless it gives nothing that a panel could draw. */
async function answer(expression: string): Promise<Sample[] | undefined> {
  const samples = (await prometheus.query(expression)).filter(({ value }) => Number.isFinite(value));
  return samples.length > 0 ? samples : undefined;
}

/** One event of an hour ago, and one that is no JSON. */
async function sendTrouble(): Promise<void> {
  const kafka = await openKafka();
  const producer = kafka.kafka.producer();
  try {
    await producer.connect();
    const late = JSON.stringify({ kind: "late", at: new Date(Date.now() - 3_600_000).toISOString() });
    const messages = [{ value: late }, { value: "no JSON" }].map((message) => ({ ...message, partition: 0 }));
    await producer.send({ topic: "dashboard-events", messages });
  } finally {
    await producer.disconnect();
    await kafka.close();
  }
}
