/** One pipeline through its life: made, changed while it runs, suspended, deleted and made again. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Database, openDatabase } from "./support/database.ts";
import { type ClusterKafka, openKafka } from "./support/kafka.ts";
import {
  apply,
  get,
  kubectl,
  list,
  NAMESPACE,
  type Pipeline,
  stagePods,
  until,
  untilCondition,
} from "./support/kube.ts";

interface Shape {
  suspend?: boolean;
  policy?: "Retain" | "Delete";
  partitions?: number;
  rate?: number;
  replicas?: number;
  extraTable?: boolean;
}

const pipeline = ({
  suspend = false,
  policy = "Retain",
  partitions = 3,
  rate = 50,
  replicas = 1,
  extraTable = false,
}: Shape) => `
apiVersion: caudal.dev/v1alpha1
kind: StreamPipeline
metadata: { name: lifecycle }
spec:
  suspend: ${suspend}
  deletionPolicy: ${policy}
  kafka: { clusterRef: { name: platform, listener: plain } }
  database: { name: lifecycle, clusterRef: { name: app-events-db } }
  topics:
    - name: lifecycle-events
      partitions: ${partitions}
      config: { max.message.bytes: "1048588" }
      timestamp: at
      fields: [{ name: kind, type: string }, { name: at, type: timestamp }]
  generators:
    - name: events
      topic: lifecycle-events
      rate: ${rate}
      values: [{ field: kind, choice: { values: [a, b] } }]
  aggregators:
    - name: metrics
      topic: lifecycle-events
      replicas: ${replicas}
      tables:
        - name: kinds
          window: { tumbling: { size: 1m } }
          groupBy: [kind]
          aggregates: ["count(*) as count"]
${
  extraTable
    ? `
        - name: totals
          window: { tumbling: { size: 1m } }
          aggregates: ["count(*) as count"]
`
    : ""
}
`;

let kafka: ClusterKafka;
let database: Database;

/** Opens the pipeline's database with the secret that the operator made. */
async function openPipelineDatabase(): Promise<Database> {
  const secret = await until("the secret of the pipeline's role", 180, async () =>
    (await list<{ metadata: { name: string }; type?: string }>("secrets", "caudal.dev/pipeline=lifecycle")).find(
      (one) => one.type === "kubernetes.io/basic-auth",
    ),
  );
  return openDatabase("app-events-db", secret.metadata.name);
}

const count = async (table: string) =>
  Number((await database.query<{ n: string }>(`select coalesce(sum(count), 0) as n from ${table}`))[0]?.n);
const stored = async () => [...(await kafka.ends("lifecycle-events")).values()].reduce((sum, end) => sum + end, 0);
const uids = async (stage: string) => (await stagePods("lifecycle", stage)).map((pod) => pod.metadata.uid).sort();

/** Waits until a table holds each event of a topic that no longer grows. */
const untilExact = (table: string) =>
  until(`${table} to hold every event of the topic`, 120, async () => {
    const [have, want] = [await count(table), await stored()];
    return have === want && have > 0;
  });

beforeAll(async () => {
  kafka = await openKafka();
  await apply(pipeline({}));
  await untilCondition("lifecycle", "Ready", "True", 180);
  database = await openPipelineDatabase();
});

afterAll(async () => {
  // The last test takes it away; what a failed one has left goes with all that belongs to it.
  if ((await get("streampipeline", "lifecycle")) !== undefined) {
    await apply(pipeline({ policy: "Delete" }));
    await kubectl(["-n", NAMESPACE, "delete", "streampipeline", "lifecycle", "--timeout=180s"], undefined, 200_000);
  }
  await (database as Database | undefined)?.close();
  await kafka.close();
});

describe("the life of a pipeline", () => {
  it("fills its table", async () => {
    await until("rows", 180, async () => (await count("kinds")) > 0);
  });

  it("rolls only the stage whose configuration changed", async () => {
    const [events, metrics] = [await uids("events"), await uids("metrics")];
    await apply(pipeline({ rate: 80 }));
    await until("another generator's pod", 240, async () => {
      const now = await uids("events");
      return now.length === 1 && now[0] !== events[0];
    });
    await untilCondition("lifecycle", "Ready", "True", 120);
    expect(await uids("metrics")).toEqual(metrics);
  });

  it("puts right what somebody changed or deleted", async () => {
    const [deployment] = await list("deployments", "caudal.dev/pipeline=lifecycle,caudal.dev/stage=metrics");
    await kubectl(["-n", NAMESPACE, "delete", "deployment", deployment?.metadata.name ?? ""]);
    await until(
      "the Deployment again",
      60,
      async () => (await list("deployments", "caudal.dev/pipeline=lifecycle,caudal.dev/stage=metrics"))[0],
    );
    const changed = '{"spec":{"config":{"max.message.bytes":"2097164"}}}';
    await kubectl(["-n", NAMESPACE, "patch", "kafkatopic", "lifecycle-events", "--type=merge", "-p", changed]);
    await until("the topic's configuration as the spec has it", 180, async () => {
      const topic = await get("kafkatopic", "lifecycle-events");
      return (topic?.spec["config"] as Record<string, unknown> | undefined)?.["max.message.bytes"] === "1048588";
    });
    await untilCondition("lifecycle", "Ready", "True", 120);
  });

  it("grows its partitions while it runs, and refuses to shrink them", async () => {
    await apply(pipeline({ partitions: 5 }));
    await until("five partitions", 240, async () => (await kafka.ends("lifecycle-events")).size === 5);
    await until("progress on all of them", 240, async () => {
      const rows = await database.query(
        "select distinct partition from caudal.progress where topic = 'lifecycle-events'",
      );
      return rows.length === 5;
    });
    await expect(apply(pipeline({ partitions: 4 }))).rejects.toThrow(/never shrink/);
  });

  it("adds a table that catches up from the beginning, and a second replica", async () => {
    await apply(pipeline({ partitions: 5, extraTable: true, replicas: 2 }));
    await untilCondition("lifecycle", "Ready", "True", 180);
    await until("two aggregators", 240, async () => (await uids("metrics")).length === 2);
  });

  it("drains and scales to zero when suspended, with every event in its tables", async () => {
    await apply(pipeline({ partitions: 5, extraTable: true, replicas: 2, rate: 0.001 }));
    await untilCondition("lifecycle", "Ready", "True", 120);
    await untilExact("kinds");
    await untilExact("totals");
    await apply(pipeline({ partitions: 5, extraTable: true, replicas: 2, suspend: true }));
    await untilCondition("lifecycle", "Ready", "False", 120, "Suspended");
    await until("no pods", 240, async () => (await list("pods", "caudal.dev/pipeline=lifecycle")).length === 0);
    await untilExact("kinds");
  });

  it("goes on where it was when it is deleted under Retain and made again", async () => {
    const before = await count("kinds");
    await kubectl(["-n", NAMESPACE, "delete", "streampipeline", "lifecycle", "--timeout=60s"], undefined, 90_000);
    expect(await get("kafkatopic", "lifecycle-events")).toBeDefined();
    expect(await count("kinds")).toBe(before);
    await apply(pipeline({ partitions: 5, extraTable: true }));
    await untilCondition("lifecycle", "Ready", "True", 180);
    await until("more rows than before", 240, async () => (await count("kinds")) > before);
    await apply(pipeline({ partitions: 5, extraTable: true, rate: 0.001 }));
    await untilCondition("lifecycle", "Ready", "True", 120);
    await untilExact("kinds");
    await untilExact("totals");
  });

  it("says in one line what it is and how it does", async () => {
    const text = await kubectl(["-n", NAMESPACE, "get", "streampipelines"]);
    expect(text.split("\n")[0]).toMatch(/NAME\s+READY\s+HEALTHY\s+STAGES\s+LAG\s+AGE/);
    expect(text).toMatch(/lifecycle\s+True\s+(True|False|Unknown)\s+2\/2/);
  });

  it("removes topic and database when it is deleted under Delete", async () => {
    await apply(pipeline({ partitions: 5, extraTable: true, policy: "Delete" }));
    await until("the finalizer", 180, async () => {
      const found = await get<Pipeline & { metadata: { finalizers?: string[] } }>("streampipeline", "lifecycle");
      return (found?.metadata.finalizers ?? []).length > 0;
    });
    await kubectl(["-n", NAMESPACE, "delete", "streampipeline", "lifecycle", "--timeout=180s"], undefined, 200_000);
    await until("the topic gone", 180, async () => (await get("kafkatopic", "lifecycle-events")) === undefined);
    await until(
      "the database gone",
      60,
      async () => (await list("databases.postgresql.cnpg.io", "caudal.dev/pipeline=lifecycle")).length === 0,
    );
    await until("every pod gone", 240, async () => (await list("pods", "caudal.dev/pipeline=lifecycle")).length === 0);
  });
});
