import { describe, expect, test } from "vitest";
import type { PipelineStatus, StageStatus, StreamPipeline } from "@caudal/crds";
import { givenPipeline } from "@caudal/pipeline/testing";
import { givenChild, givenFacts, givenObservation, givenPod } from "../testing/given.ts";
import type { KubeObject } from "../kube/object.ts";
import { announce } from "./announce.ts";
import type { Facts } from "./facts.ts";
import { statusOf } from "./status.ts";

const A = "AAAAAAAAAAAAAAAAAAAAAA";
const B = "BBBBBBBBBBBBBBBBBBBBBB";
const C = "CCCCCCCCCCCCCCCCCCCCCC";
const ready = [{ type: "Ready", status: "True" }];

interface Look {
  /** Kafka's ids by KafkaTopic; undefined: the object has none yet; left out: there is no object. */
  readonly ids?: Readonly<Record<string, string | undefined>>;
  readonly reads?: { readonly topicId: string; readonly ends?: readonly [next: number, end: number][] } | undefined;
  readonly replaced?: StageStatus["replaced"];
  readonly unseen?: boolean;
  readonly refused?: boolean;
  readonly suspended?: boolean;
  readonly annotation?: string;
  readonly spec?: (spec: StreamPipeline["spec"]) => void;
}

function factsOf(look: Look, before: PipelineStatus | undefined): Facts {
  const { ids = { "app-events": A }, reads, replaced, annotation } = look;
  const given = givenFacts();
  const topics = Object.entries(ids).map(([name, topicId]) =>
    givenChild("KafkaTopic", name, {
      conditions: ready,
      observedGeneration: 1,
      ...(topicId !== undefined && { topicId }),
    }),
  );
  const children: KubeObject[] = [...given.children.filter(({ kind }) => kind !== "KafkaTopic"), ...topics];
  const base = givenPipeline((spec) => {
    if (look.suspended === true) spec.suspend = true;
    look.spec?.(spec);
  });
  const pipeline: StreamPipeline = {
    ...base,
    metadata: {
      ...base.metadata,
      ...(annotation !== undefined && { annotations: { "caudal.dev/acknowledge-lost-topics": annotation } }),
    },
    ...(before !== undefined && { status: before }),
  };
  const topic = "app-events";
  const status: Partial<StageStatus> = {
    ...(reads !== undefined && {
      reads: { topic, topicId: reads.topicId },
      partitions: (reads.ends ?? []).map(([nextOffset, endOffset], partition) => ({
        ...{ topic, partition, nextOffset, endOffset, idle: false },
      })),
    }),
    ...(replaced !== undefined && { replaced }),
  };
  const pods = look.suspended === true ? [] : [givenPod("events"), givenPod("metrics", {}, status)];
  const unseen = look.unseen === true ? [{ kind: "KafkaTopic", plural: "kafkatopics", why: "429" }] : [];
  return givenFacts({
    observation: givenObservation({ pipeline, pods, unseen }),
    children,
    problems: look.refused === true ? [{ reason: "SqlInvalid", message: "m" }] : [],
  });
}

/** What the status says after these looks, one after another. */
function after(...looks: readonly Look[]): PipelineStatus {
  let status: PipelineStatus | undefined;
  for (const look of looks) status = statusOf(factsOf(look, status)).status;
  if (status === undefined) throw new TypeError("no look");
  return status;
}
const healthy = (status: PipelineStatus) => status.conditions?.find(({ type }) => type === "Healthy");
const lostIds = (status: PipelineStatus) =>
  Object.fromEntries((status.lostTopics ?? []).map((lost) => [lost.name, lost.ids]));
const seen = (id: string): Look => ({ ids: { "app-events": id } });
const external = (spec: StreamPipeline["spec"]): void => {
  for (const topic of spec.topics) topic.managed = false;
};

describe("a topic that was deleted and made again is told", () => {
  test("with what it had, who had not read it, and the command that acknowledges it", () => {
    const status = after(
      {
        ...seen(A),
        reads: {
          topicId: A,
          ends: [
            [51_816, 51_854],
            [51_854, 51_854],
          ],
        },
      },
      { ids: {} },
      { ids: { "app-events": undefined } },
      seen(B),
    );
    expect(healthy(status)).toMatchObject({ status: "False", reason: "TopicRecreated" });
    for (const part of [
      `topic app-events was deleted and made again empty (seen at 2026-01-01T12:00:00Z; its id was ${A} and is ${B})`,
      "gone are the records of 103708 offsets (app-events/0 up to 51854, app-events/1 up to 51854)",
      "kubectl --namespace ns annotate --overwrite streampipeline app-events " +
        `caudal.dev/acknowledge-lost-topics=app-events=${A}`,
    ])
      expect(healthy(status)?.message).toContain(part);
  });

  test("with the numbers that stages remember, which are later than those of the last status", () => {
    const places = [{ partition: 0, nextOffset: 90, endOffset: 128 }];
    const status = after(
      { ...seen(A), reads: { topicId: A, ends: [[10, 20]] } },
      seen(B),
      { ...seen(B), reads: { topicId: B }, replaced: { topic: "app-events", topicId: A, places } },
      seen(B),
    );
    expect(healthy(status)?.message).toContain(
      "128 offsets (app-events/0 up to 128), stage metrics had not read 38 of them",
    );
  });

  test("once as an event, with the offsets, and not again", () => {
    const first = after({ ...seen(A), reads: { topicId: A, ends: [[20, 20]] } });
    const second = statusOf(factsOf(seen(B), first)).status;
    const third = statusOf(factsOf(seen(B), second)).status;
    expect(announce(first, second).filter(({ reason }) => reason === "TopicRecreated")).toEqual([
      expect.objectContaining({
        type: "Warning",
        note: expect.stringContaining("20 offsets (app-events/0 up to 20)") as string,
      }),
    ]);
    expect(announce(second, third)).toEqual([]);
  });

  test("in events of which there are few, short enough for the API server, when a whole Kafka is new", () => {
    const names = Array.from({ length: 100 }, (_, index) => `t${index}`);
    const spec: Look["spec"] = (to) => {
      to.topics = names.map((name) => ({ ...to.topics[0], name, managed: true }) as (typeof to.topics)[number]);
    };
    const all = (id: string): Look => ({ ids: Object.fromEntries(names.map((name) => [name, id])), spec });
    const first = after(all(A));
    const second = statusOf(factsOf(all(B), first)).status;
    expect(Object.keys(lostIds(second))).toHaveLength(100);
    const notes = announce(first, second).filter(({ reason }) => reason === "TopicRecreated");
    expect(notes).toHaveLength(6);
    expect(notes.at(-1)?.note).toContain("95 more topics");
    expect(healthy(second)?.message).toContain("and 95 more topics");
    expect(healthy(second)?.message.length).toBeLessThan(8_000);
  });

  const told: [string, readonly Look[], Record<string, string[]>][] = [
    ["while no pod answers", [seen(A), seen(B), seen(B)], { "app-events": [A] }],
    ["while the pipeline is suspended", [seen(A), { ...seen(B), suspended: true }], { "app-events": [A] }],
    ["while the spec is refused", [seen(A), { ...seen(B), refused: true }, seen(B)], { "app-events": [A] }],
    ["behind Strimzi's back, when its status has another id", [seen(A), seen(A), seen(B)], { "app-events": [A] }],
    ["twice, with both ids", [seen(A), seen(B), seen(C)], { "app-events": [A, B] }],
    [
      "of dead letters",
      [
        { ids: { "app-events": A, "app-events-metrics-dlq": A } },
        { ids: { "app-events": A, "app-events-metrics-dlq": B } },
      ],
      { "app-events-metrics-dlq": [A] },
    ],
    [
      "that nobody here manages, where a stage reads it",
      [
        { ids: {}, spec: external, reads: { topicId: A } },
        { ids: {}, spec: external },
        { ids: {}, spec: external, reads: { topicId: B } },
        { ids: {}, spec: external, reads: { topicId: A } },
      ],
      { "app-events": [A] },
    ],
    ["also where the cache is behind and shows the old one again", [seen(A), seen(B), seen(A)], { "app-events": [A] }],
    [
      "of which another loss is acknowledged",
      [seen(A), seen(B), { ...seen(C), annotation: `app-events=${A}` }],
      { "app-events": [B] },
    ],
    [
      "unless the id that is acknowledged is another's",
      [seen(A), { ...seen(B), annotation: `app-events=${C},x=${A}` }],
      { "app-events": [A] },
    ],
  ];
  test.each(told)("%s", (_name, looks, expected) => expect(lostIds(after(...looks))).toEqual(expected));
});

describe("nothing is told", () => {
  const quiet: [string, readonly Look[]][] = [
    ["of a topic that is new", [{ ids: {} }, { ids: { "app-events": undefined } }, seen(A)]],
    [
      "of a topic whose KafkaTopic was deleted before Strimzi gave it an id",
      [{ ids: { "app-events": undefined } }, { ids: {} }, seen(B)],
    ],
    ["of a KafkaTopic that was made again over the same topic", [seen(A), { ids: {} }, seen(A)]],
    ["while kinds are not seen, whatever the cache has", [seen(A), { ...seen(B), unseen: true }, seen(A)]],
    [
      "of a topic that left the spec, and of one of another name",
      [
        seen(A),
        {
          ids: { other: B },
          spec: (spec) => {
            for (const topic of spec.topics) topic.name = "other";
            for (const stage of [...(spec.generators ?? []), ...(spec.aggregators ?? [])]) stage.topic = "other";
          },
        },
        seen(C),
      ],
    ],
    [
      "of what a pod says that is no id of Kafka's",
      [
        { ids: {}, spec: external, reads: { topicId: A } },
        { ids: {}, spec: external, reads: { topicId: "x; rm -r /tmp/x #" } },
      ],
    ],
    [
      "of a stage that is behind, where Strimzi says which topic it is",
      [seen(A), { ...seen(A), reads: { topicId: B } }],
    ],
    ["after it is acknowledged", [seen(A), seen(B), { ...seen(B), annotation: `app-events=${A}` }, seen(B)]],
    ["when it was acknowledged before it was seen", [seen(A), { ...seen(B), annotation: `app-events=${A}` }]],
  ];
  test.each(quiet)("%s", (_name, looks) => {
    const status = after(...looks);
    expect(status.lostTopics).toBeUndefined();
    expect(healthy(status)?.reason).not.toBe("TopicRecreated");
  });

  test("of a pipeline that was made again: its record is its own", () => {
    after(seen(A));
    expect(after(seen(B)).lostTopics).toBeUndefined();
  });
});

test("a command acknowledges all that is open, with what was acknowledged before", () => {
  const both = (id: string): Look => ({ ids: { "app-events": id, "app-events-metrics-dlq": id } });
  const status = after(both(A), { ...both(B), annotation: `x=${C}` });
  const value = /acknowledge-lost-topics=(\S+)/.exec(healthy(status)?.message ?? "")?.[1];
  expect(value).toBe(`x=${C},app-events=${A},app-events-metrics-dlq=${A}`);
  expect(statusOf(factsOf({ ...both(B), annotation: value ?? "" }, status)).status.lostTopics).toBeUndefined();
});

test("what a pod says of offsets stays within what the API server stores", () => {
  const most = 2 ** 52;
  const places = Array.from({ length: 6_000 }, () => ({ partition: most, nextOffset: -most, endOffset: most }));
  const status = after(
    { ids: {}, spec: external, reads: { topicId: A } },
    {
      ...{ ids: {}, spec: external, reads: { topicId: B } },
      replaced: { topic: "app-events", topicId: A, places },
    },
  );
  const [lost] = status.lostTopics ?? [];
  expect(lost?.ends?.length ?? 0).toBeLessThanOrEqual(1_024);
  expect(lost?.offsets ?? 0).toBeLessThan(2 ** 53);
  for (const { offsets } of lost?.unread ?? []) expect(offsets).toBeLessThan(2 ** 53);
});
