import { describe, expect, test } from "vitest";
import type { Condition, ConditionType } from "@caudal/crds";
import { givenPipeline } from "@caudal/pipeline/testing";
import { givenChild, givenFacts, givenKafka, givenObservation, givenPod, CLOCK, NOW } from "../testing/given.ts";
import type { Facts } from "./facts.ts";
import { coarse, coarseBytes } from "./stages.ts";
import { statusOf } from "./status.ts";

function condition(facts: Facts, type: ConditionType): Pick<Condition, "status" | "reason" | "message"> {
  const found = statusOf(facts).status.conditions?.find((entry) => entry.type === type);
  if (found === undefined) throw new TypeError(`no condition ${type}`);
  return found;
}
const said = (facts: Facts, type: ConditionType) => {
  const { status, reason } = condition(facts, type);
  return `${status} ${reason}`;
};
const suspended = givenPipeline((spec) => (spec.suspend = true));

test("a pipeline where everything is well has all six conditions True, for its generation", () => {
  const { status } = statusOf(givenFacts());
  expect(status.conditions?.map(({ type, status: value }) => `${type} ${value}`)).toEqual([
    "Ready True",
    "ConfigValid True",
    "TopicsReady True",
    "DatabaseReady True",
    "WorkloadsReady True",
    "Healthy True",
  ]);
  expect(status.conditions?.every(({ observedGeneration }) => observedGeneration === 2)).toBe(true);
  expect(status).toMatchObject({ observedGeneration: 2, stagesReady: "2/2", lag: "0" });
});

test("a stage tells what its outputs get, where its SQL says so", () => {
  const columns = new Map([["metrics", [{ name: "user_id", type: "text" }]]]);
  const { status } = statusOf(givenFacts({ columns }));
  expect(status.stages?.map((stage) => [stage.name, stage.columns])).toEqual([
    ["events", undefined],
    ["metrics", [{ name: "user_id", type: "text" }]],
  ]);
});

test("a stage tells how its replication slot is, and whose word is the last", () => {
  const slot = (at: number, retained: number) => {
    const pod = givenPod("events", {}, { slot: { wal: "extended", retained, behind: 5 } });
    return { ...pod, ...(pod.status && { status: { ...pod.status, at } }) };
  };
  const pods = [slot(CLOCK - 2_000, 2 ** 31), slot(CLOCK - 9_000, 0), givenPod("metrics")];
  const { status } = statusOf(givenFacts({ observation: givenObservation({ pods }) }));
  expect(status.stages?.map((stage) => stage.slot)).toEqual([
    { wal: "extended", retained: "<4Gi", behind: "<16Mi" },
    undefined,
  ]);
});

describe("a table that does not fit", () => {
  const error = { reason: "TableExists", message: "table t exists", at: NOW };
  const facts = (configHash: string) => {
    const given = givenFacts({
      observation: givenObservation({ pods: [givenPod("events"), givenPod("metrics", { configHash }, { error })] }),
    });
    const template = { metadata: { annotations: { "caudal.dev/config-hash": "h" } } };
    return { ...given, children: given.children.map((child) => ({ ...child, spec: { ...child.spec, template } })) };
  };
  test("is a spec that is not valid", () => {
    expect(condition(facts("h"), "ConfigValid")).toMatchObject({
      ...{ status: "False", reason: "TableExists", message: "stage metrics: table t exists" },
    });
    expect(said(facts("h"), "Ready")).toBe("False TableExists");
  });
  test("is none where a pod of an earlier spec says so, which will go", () => {
    expect(said(facts("before"), "ConfigValid")).toBe("True Accepted");
  });
});

/** Deployments ask for no pods. */
function scaledToZero(change: Partial<Facts>): Facts {
  const facts = givenFacts(change);
  const children = facts.children.map((child) =>
    child.kind === "Deployment" ? { ...child, spec: { replicas: 0 } } : child,
  );
  return { ...facts, children };
}

/** A pod whose heartbeat was last seen to move then. */
function heardAt(stage: string, heartbeatAt: number): ReturnType<typeof givenPod> {
  const pod = givenPod(stage);
  return { ...pod, ...(pod.status && { status: { ...pod.status, heartbeatAt } }) };
}

describe("the cause is named", () => {
  const topic = (status: Record<string, unknown>) =>
    givenFacts({ children: [givenChild("KafkaTopic", "app-events", status)] });
  const cases: [string, Facts, ConditionType, string][] = [
    [
      "a bad spec",
      givenFacts({ problems: [{ reason: "SqlInvalid", message: "m" }] }),
      "ConfigValid",
      "False SqlInvalid",
    ],
    [
      "a check that failed",
      givenFacts({ unchecked: { reason: "SqlNotChecked", message: "m" } }),
      "ConfigValid",
      "Unknown SqlNotChecked",
    ],
    [
      "Strimzi missing",
      givenFacts({
        observation: givenObservation({ installed: { strimzi: false, cloudNativePg: true, podMonitors: false } }),
      }),
      "TopicsReady",
      "False StrimziNotInstalled",
    ],
    [
      "CloudNativePG missing",
      givenFacts({
        observation: givenObservation({ installed: { strimzi: true, cloudNativePg: false, podMonitors: false } }),
      }),
      "DatabaseReady",
      "False CloudNativePGNotInstalled",
    ],
    [
      "no Kafka",
      givenFacts({ observation: givenObservation({ kafka: undefined }) }),
      "TopicsReady",
      "False KafkaNotFound",
    ],
    [
      "no Secret",
      givenFacts({ observation: givenObservation({ secrets: new Map() }) }),
      "DatabaseReady",
      "False SecretNotFound",
    ],
    [
      "a Secret without a key",
      givenFacts({
        observation: givenObservation({
          secrets: new Map([["app-events-db-app", { name: "app-events-db-app", exists: true, keys: { host: "1" } }]]),
        }),
      }),
      "DatabaseReady",
      "False SecretKeyMissing",
    ],
    [
      "a topic that Strimzi refuses",
      topic({ conditions: [{ type: "Ready", status: "False", reason: "NotSupported", message: "fewer" }] }),
      "TopicsReady",
      "False KafkaTopicNotSupported",
    ],
    ["a topic that nobody has looked at", topic({}), "TopicsReady", "False KafkaTopicPending"],
    [
      "a topic whose Ready is of an older generation",
      topic({ conditions: [{ type: "Ready", status: "True" }], observedGeneration: 0 }),
      "TopicsReady",
      "False KafkaTopicPending",
    ],
    [
      "a paused topic",
      topic({ conditions: [{ type: "ReconciliationPaused", status: "True" }], observedGeneration: 1 }),
      "TopicsReady",
      "False ReconciliationPaused",
    ],
    [
      "a user that says NotReady=True",
      givenFacts({
        children: [
          givenChild("KafkaUser", "u", {
            conditions: [{ type: "NotReady", status: "True", reason: "InvalidResource", message: "m" }],
            observedGeneration: 1,
          }),
        ],
      }),
      "TopicsReady",
      "False KafkaUserInvalidResource",
    ],
    [
      "a Kafka that is not ready, behind a topic that waits",
      givenFacts({
        observation: givenObservation({
          kafka: {
            ...givenKafka(),
            status: { conditions: [{ type: "NotReady", status: "True", reason: "Creating", message: "m" }] },
          },
        }),
        children: [givenChild("KafkaTopic", "t", {})],
      }),
      "TopicsReady",
      "False KafkaCreating",
    ],
    [
      "a failed write",
      givenFacts({ failures: [{ kind: "KafkaTopic", name: "t", reason: "NotOwned", message: "m" }] }),
      "TopicsReady",
      "False NotOwned",
    ],
    [
      "a database that starts",
      givenFacts({ children: [givenChild("Cluster", "app-events-db", { phase: "Setting up primary" })] }),
      "DatabaseReady",
      "False ClusterNotReady",
    ],
    ["a Deployment that is missing", givenFacts({ children: [] }), "WorkloadsReady", "False DeploymentMissing"],
    [
      "a stage that waits",
      givenFacts({ held: [{ stage: { name: "events", role: "generator" }, reason: "KafkaNotReady", message: "m" }] }),
      "WorkloadsReady",
      "False KafkaNotReady",
    ],
    [
      "an image that cannot be pulled",
      givenFacts({
        observation: givenObservation({
          pods: [givenPod("events", { ready: false, blocked: { reason: "ImagePullBackOff", message: "m" } })],
        }),
      }),
      "WorkloadsReady",
      "False ImagePullBackOff",
    ],
    [
      "no heartbeat",
      givenFacts({ observation: givenObservation({ pods: [] }) }),
      "WorkloadsReady",
      "False HeartbeatUnknown",
    ],
    [
      "an old heartbeat",
      givenFacts({
        observation: givenObservation({
          pods: [heardAt("events", CLOCK - 61_000), givenPod("metrics")],
        }),
      }),
      "WorkloadsReady",
      "False HeartbeatOld",
    ],
    [
      "a failed stage",
      givenFacts({
        observation: givenObservation({
          pods: [
            givenPod("events"),
            givenPod("metrics", {}, { state: "Failed", error: { reason: "RetentionPassed", message: "m", at: NOW } }),
          ],
        }),
      }),
      "WorkloadsReady",
      "False RetentionPassed",
    ],
    [
      "a failed stage that waits to be started again",
      givenFacts({
        observation: givenObservation({
          pods: [
            givenPod("events"),
            givenPod(
              "metrics",
              { ready: false, blocked: { reason: "CrashLoopBackOff", message: "m" } },
              { state: "Failed", error: { reason: "SlotLost", message: "m", at: NOW } },
            ),
          ],
        }),
      }),
      "WorkloadsReady",
      "False SlotLost",
    ],
    ["draining", scaledToZero({ observation: givenObservation({ pipeline: suspended }) }), "Ready", "False Draining"],
    [
      "suspended",
      scaledToZero({ observation: givenObservation({ pipeline: suspended, pods: [] }) }),
      "Ready",
      "False Suspended",
    ],
    [
      "to be suspended, and not yet",
      givenFacts({ observation: givenObservation({ pipeline: suspended }) }),
      "Ready",
      "False NotSuspended",
    ],
    [
      "a topic that is not there",
      givenFacts({ children: givenFacts().children.filter(({ kind }) => kind !== "KafkaTopic") }),
      "TopicsReady",
      "False KafkaTopicMissing",
    ],
    [
      "a kind that is not seen",
      givenFacts({
        observation: givenObservation({ unseen: [{ kind: "KafkaUser", plural: "kafkausers", why: "403" }] }),
      }),
      "Ready",
      "Unknown NotSeen",
    ],
    [
      "suspended and not healthy nor ill",
      givenFacts({ observation: givenObservation({ pipeline: suspended, pods: [] }) }),
      "Healthy",
      "Unknown Suspended",
    ],
  ];
  test.each(cases)("%s", (_name, facts, type, expected) => expect(said(facts, type)).toBe(expected));
});

test("Ready tells the first cause, in the order in which one would look for it", () => {
  const facts = givenFacts({ children: [], problems: [{ reason: "UnknownField", message: "spec.x" }] });
  expect(condition(facts, "Ready")).toMatchObject({
    status: "False",
    reason: "UnknownField",
    message: "ConfigValid: spec.x",
  });
});

describe("Healthy tells", () => {
  const behind = (nextOffset: number, previousLag: number) => {
    const partitions = [{ topic: "t", partition: 0, nextOffset, endOffset: 10_000, idle: false }];
    const pod = givenPod("metrics", {}, { partitions });
    return { ...pod, ...(pod.status && { status: { ...pod.status, previousLag } }) };
  };
  const facts = (pod: ReturnType<typeof givenPod>) =>
    givenFacts({ observation: givenObservation({ pods: [givenPod("events"), pod] }) });
  const watermark = (partition: number, ms: number, idle = false) => ({
    topic: "t",
    partition,
    nextOffset: 1,
    endOffset: 1,
    watermark: NOW - ms,
    idle,
  });

  test("a lag that grows, and not one that shrinks", () => {
    expect(said(facts(behind(0, 2_000)), "Healthy")).toBe("False LagGrowing");
    expect(said(facts(behind(0, 20_000)), "Healthy")).toBe("True EventsFlow");
  });

  describe("dead letters", () => {
    const letters = (reason: string, count: number, ago: number) => ({
      ...{ reason, count, since: NOW - 3_600_000, at: NOW - ago },
    });
    const withLetters = (...told: ReturnType<typeof letters>[]) => facts(givenPod("metrics", {}, { letters: told }));

    test("of a moment ago, with reasons, numbers, times and where they are, and not those of long ago", () => {
      const { reason, message } = condition(
        withLetters(letters("WrongType", 7, 60_000), letters("MissingField", 345, 3_600_000)),
        "Healthy",
      );
      expect(reason).toBe("DeadLetters");
      expect(message).toContain(
        "stage metrics has put 300 or more records aside since 2026-01-01T11:00Z (MissingField: 300 or more, WrongType: 7), " +
          "the last at 2026-01-01T11:59Z",
      );
      expect(message).toContain(
        "caudal sql --namespace ns app-events -e 'print app-events-metrics-dlq from beginning limit 10'",
      );
      expect(said(withLetters(letters("WrongType", 7, 3_600_000)), "Healthy")).toBe("True EventsFlow");
    });

    test.each(["LateEvent", "RetentionPassed"])(
      "that the spec sends there on purpose (%s) are no illness",
      (expected) => {
        expect(said(withLetters(letters(expected, 97_310, 1_000)), "Healthy")).toBe("True EventsFlow");
      },
    );

    test("are added up over the pods of a stage", () => {
      const pod = (name: string) => ({
        ...givenPod("metrics", {}, { letters: [letters("WrongType", 3, 1_000)] }),
        name,
      });
      const both = givenFacts({ observation: givenObservation({ pods: [pod("a"), pod("b")] }) });
      expect(condition(both, "Healthy").message).toContain("WrongType: 6");
    });
  });

  test("the partition that holds the watermark, unless it is idle", () => {
    const held = givenPod("metrics", {}, { partitions: [watermark(0, 0), watermark(3, 3_600_000)] });
    expect(condition(facts(held), "Healthy").message).toContain(
      "partition t/3 holds the watermark: its events end at 2026-01-01T11:00Z",
    );
    const idle = givenPod("metrics", {}, { partitions: [watermark(0, 0), watermark(3, 3_600_000, true)] });
    expect(said(facts(idle), "Healthy")).toBe("True EventsFlow");
  });

  test("a transaction that has been open for minutes, with what ends it, and not one of a moment ago", () => {
    const open = (ms: number) =>
      givenPod(
        "metrics",
        {},
        {
          partitions: [
            {
              ...{ topic: "t", partition: 2, nextOffset: 70, endOffset: 70, idle: true },
              undecided: { offset: 70, records: 5_000, since: NOW - ms },
            },
          ],
        },
      );
    const { reason, message } = condition(facts(open(180_000)), "Healthy");
    expect(reason).toBe("TransactionOpen");
    expect(message).toContain("began at offset 70 of t/2 has been open since 2026-01-01T11:57Z");
    expect(message).toContain("abort --topic t --partition 2 --start-offset 70");
    const { stages } = statusOf(facts(open(180_000))).status;
    expect(stages?.[1]).toMatchObject({ lag: "0", undecided: "<10k" });
    expect(said(facts(open(179_000)), "Healthy")).toBe("True EventsFlow");
  });

  test("commits that a server has lost, in numbers, for an hour", () => {
    const lost = (at: number) => ({
      output: "event_counts",
      topic: "t",
      partition: 2,
      from: 70,
      to: 100,
      offsets: 30,
      at,
    });
    const pod = (at: number) => givenPod("metrics", {}, { lost: [lost(at)] });
    const { reason, message } = condition(facts(pod(NOW - 60_000)), "Healthy");
    expect(reason).toBe("CommitsLost");
    expect(message).toContain("event_counts: 30 offsets of t/2 (70 to 99) at 2026-01-01T11:59:00Z");
    expect(said(facts(pod(NOW - 3_700_000)), "Healthy")).toBe("True EventsFlow");
  });

  test("a lag that nobody knows, which is not nothing", () => {
    const error = { reason: "TableChanged", message: "another definition", at: NOW };
    const summary = (...pods: Parameters<typeof facts>) => statusOf(facts(...pods)).status.stages?.[1];
    expect(summary(givenPod("metrics", {}, { partitions: [], error }))).not.toHaveProperty("lag");
    expect(summary(givenPod("metrics", {}, { partitions: [] }))).toMatchObject({ lag: "0" });
  });

  test("no lag where no records of a topic can wait: a generator's is unknown and not nothing", () => {
    const { status } = statusOf(facts(givenPod("metrics")));
    expect(status.stages?.[0]).not.toHaveProperty("lag");
    const unknown = givenPod("metrics", {}, { partitions: [], lagUnknown: "no broker answers" });
    expect(statusOf(facts(unknown)).status).not.toHaveProperty("lag");
  });

  test("the last error that stands", () => {
    const pod = givenPod("metrics", {}, { error: { reason: "BrokerAway", message: "no broker answers", at: NOW } });
    expect(condition(facts(pod), "Healthy")).toMatchObject({ status: "False", reason: "BrokerAway" });
  });
});

test("the time of the last transition stays while the status does", () => {
  const first = statusOf(givenFacts()).status;
  const later = givenObservation({ now: NOW + 60_000, pipeline: { ...givenPipeline(), status: first } });
  const times = (facts: Facts) =>
    statusOf(facts).status.conditions?.map(({ lastTransitionTime }) => lastTransitionTime);
  expect(times(givenFacts({ observation: later }))).toEqual(
    first.conditions?.map(({ lastTransitionTime }) => lastTransitionTime),
  );
  const changed = statusOf(givenFacts({ observation: later, children: [] })).status.conditions;
  expect(changed?.find(({ type }) => type === "Ready")?.lastTransitionTime).toBe("2026-01-01T12:01:00Z");
  expect(changed?.find(({ type }) => type === "ConfigValid")?.lastTransitionTime).toBe("2026-01-01T12:00:00Z");
});

test("reasons that other operators give become what the API server takes", () => {
  const facts = givenFacts({ failures: [{ kind: "KafkaTopic", name: "t", reason: "1 odd-reason!", message: "m" }] });
  expect(condition(facts, "TopicsReady").reason).toBe("oddreason");
});

test("released objects are listed, sorted", () => {
  const released = (name: string) => {
    const child = givenChild("KafkaTopic", name, {});
    return [
      `KafkaTopic/${name}`,
      { ...child, metadata: { ...child.metadata, labels: { "caudal.dev/released": "true" } } },
    ] as const;
  };
  const observation = givenObservation({ children: new Map([released("b"), released("a")]) });
  expect(statusOf(givenFacts({ observation })).status.released).toEqual([
    { kind: "KafkaTopic", name: "a" },
    { kind: "KafkaTopic", name: "b" },
  ]);
});

test.each([
  [0, "0"],
  [1, "<1k"],
  [999, "<1k"],
  [1_000, "<10k"],
  [99_999, "<100k"],
  [100_000, "<1M"],
  [5_000_000, "<10M"],
  [999_999_999, "<1G"],
])("a lag of %d is shown as %s", (lag, shown) => expect(coarse(lag)).toBe(shown));

test.each([
  [0, "<16Mi"],
  [2 ** 24, "<64Mi"],
  [2 ** 30 - 1, "<1Gi"],
  [2 ** 30, "<4Gi"],
  [10 * 2 ** 30, "<16Gi"],
  [2 ** 39, "<1Ti"],
])("%d bytes are shown as %s", (bytes, shown) => expect(coarseBytes(bytes)).toBe(shown));
