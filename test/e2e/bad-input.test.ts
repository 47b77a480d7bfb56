/** What users send by mistake: nothing of it stops a pipeline, and all of it is found again. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Database, openDatabase } from "./support/database.ts";
import { type ClusterKafka, openKafka, type TopicRecord } from "./support/kafka.ts";
import { apply, kubectl, NAMESPACE, stagePods, until, untilCondition } from "./support/kube.ts";

const pipeline = `
apiVersion: caudal.dev/v1alpha1
kind: StreamPipeline
metadata: { name: bad-input }
spec:
  deletionPolicy: Delete
  kafka: { clusterRef: { name: platform, listener: plain } }
  database: { clusterRef: { name: app-events-db } }
  topics:
    - name: bad-input
      partitions: 1
      config: { max.message.bytes: "4194304" }
      timestamp: at
      fields:
        - { name: who, type: string }
        - { name: amount, type: integer }
        - { name: x, type: double, nullable: true }
        - { name: at, type: timestamp }
  aggregators:
    - name: counts
      topic: bad-input
      tables:
        - name: bad_input_counts
          window: { tumbling: { size: 1h } }
          groupBy: [who]
          aggregates: ["count(*) as count", "sum(amount) as total"]
`;

const at = Date.now();
const event = (fields: Record<string, unknown>) => JSON.stringify({ who: "good", amount: 1, x: 0.5, at, ...fields });
/** Each with the reason under which it must be found; undefined: it is a good event. */
const inputs: { name: string; value: string | Buffer | null; reason?: string }[] = [
  { name: "a good event", value: event({}) },
  { name: "malformed JSON", value: '{"who": "good", "amount": ', reason: "MalformedJson" },
  { name: "a JSON null", value: "null", reason: "NotAnObject" },
  { name: "an array", value: "[1, 2]", reason: "NotAnObject" },
  { name: "1.7 for an integer", value: event({ amount: 1.7 }), reason: "WrongType" },
  { name: "true for a number", value: event({ amount: true }), reason: "WrongType" },
  { name: "NaN", value: `{"who":"good","amount":1,"x":NaN,"at":${at}}`, reason: "MalformedJson" },
  { name: "1e400", value: `{"who":"good","amount":1,"x":1e400,"at":${at}}`, reason: "OutOfRange" },
  { name: "a missing field", value: JSON.stringify({ who: "good", at }), reason: "MissingField" },
  { name: "an extra field", value: event({ extra: { deep: [1] } }) },
  { name: "line breaks inside a value", value: JSON.stringify(JSON.parse(event({ who: "good" })), null, 2) },
  { name: "NUL in text", value: event({ who: "a\u0000b" }), reason: "NulInText" },
  { name: "a 5 KB group key", value: event({ who: "k".repeat(5_000) }), reason: "GroupKeyTooLong" },
  { name: "an event of the year 3000", value: event({ at: "3000-01-01T00:00:00Z" }), reason: "TooFarAhead" },
  { name: "an empty value", value: "", reason: "EmptyValue" },
  { name: "a tombstone", value: null, reason: "Tombstone" },
  { name: "a 1 MB value", value: event({ padding: "p".repeat(1_048_576) }) },
  { name: "a good event at the end", value: event({}) },
];

let kafka: ClusterKafka;
let database: Database;
let letters: TopicRecord[] = [];

beforeAll(async () => {
  kafka = await openKafka();
  await apply(pipeline);
  await untilCondition("bad-input", "Ready", "True", 180);
  const producer = kafka.kafka.producer();
  await producer.connect();
  for (const input of inputs)
    await producer.send({ topic: "bad-input", messages: [{ key: input.name, value: input.value }] });
  await producer.disconnect();
  const secrets = JSON.parse(
    await kubectl(["-n", NAMESPACE, "get", "secrets", "-l", "caudal.dev/pipeline=bad-input", "-o", "json"]),
  ) as {
    items: { metadata: { name: string }; type: string }[];
  };
  const secret = secrets.items.find((one) => one.type === "kubernetes.io/basic-auth");
  if (secret === undefined) throw new Error("the pipeline has no secret for its database");
  database = await openDatabase("app-events-db", secret.metadata.name);
  const bad = inputs.filter((input) => input.reason !== undefined).length;
  letters = await until("every bad record in the dead-letter topic", 240, async () => {
    const found = await kafka.readAll("bad-input-counts-dlq");
    return found.length >= bad && found;
  });
});

afterAll(async () => {
  await database?.close();
  await kafka.close();
  await kubectl(
    ["-n", NAMESPACE, "delete", "streampipeline", "bad-input", "--ignore-not-found", "--timeout=180s"],
    undefined,
    200_000,
  );
});

describe("bad input", () => {
  it.each(inputs.map((input, offset) => ({ ...input, offset })))(
    "finds $name where the documentation says",
    ({ value, reason, offset }) => {
      const found = letters.filter((letter) => letter.headers["caudal-offset"] === String(offset));
      if (reason === undefined) {
        expect(found).toEqual([]);
        return;
      }
      expect(found).toHaveLength(1);
      expect(found[0]?.headers).toMatchObject({
        "caudal-reason": reason,
        "caudal-topic": "bad-input",
        "caudal-partition": "0",
        "caudal-stage": "counts",
      });
      expect(found[0]?.value === null ? null : String(found[0]?.value)).toBe(value === null ? null : String(value));
    },
  );

  it("counts every good event, and only these", async () => {
    const good = inputs.filter((input) => input.reason === undefined).length;
    const rows = await until("the good events in the table", 180, async () => {
      const found = await database.query<{ who: string; count: string; total: string }>(
        "select who, sum(count) as count, sum(total) as total from bad_input_counts group by 1",
      );
      return Number(found[0]?.count) >= good && found;
    });
    expect(rows).toEqual([{ who: "good", count: String(good), total: String(good) }]);
  });

  it("counts the dead letters by their reasons in the metrics", async () => {
    const [pod] = await stagePods("bad-input", "counts");
    const metrics = await kubectl([
      "get",
      "--raw",
      `/api/v1/namespaces/${NAMESPACE}/pods/${pod?.metadata.name}:8080/proxy/metrics`,
    ]);
    for (const reason of new Set(inputs.flatMap((input) => input.reason ?? []))) {
      const expected = inputs.filter((input) => input.reason === reason).length;
      const line = metrics
        .split("\n")
        .find((one) => one.startsWith("caudal_dead_letters_total{") && one.includes(`reason="${reason}"`));
      expect(Number(line?.split(" ").at(-1)), reason).toBe(expected);
    }
  });

  it("keeps the pipeline ready", async () => {
    await untilCondition("bad-input", "Ready", "True", 60);
  });
});
