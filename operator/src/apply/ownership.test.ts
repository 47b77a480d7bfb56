import { describe, expect, test } from "vitest";
import type { StreamPipeline } from "@caudal/crds";
import type { KubeObject, Metadata } from "../kube/object.ts";
import { judge } from "./ownership.ts";

const pipeline = { metadata: { name: "shop", namespace: "ns", uid: "u1", generation: 4 } } as StreamPipeline;
const ours = { "app.kubernetes.io/managed-by": "caudal", "caudal.dev/pipeline": "shop" };
const object = (metadata: Partial<Metadata>): KubeObject => ({
  apiVersion: "kafka.strimzi.io/v1",
  kind: "KafkaTopic",
  metadata: { name: "events", namespace: "ns", ...metadata },
});
const owned = (uid: string) => [{ apiVersion: "v1", kind: "StreamPipeline", name: "shop", uid, controller: true }];

describe("an object is", () => {
  const cases: [string, Partial<Metadata>, string][] = [
    [
      "ours by its annotation",
      { labels: ours, annotations: { "caudal.dev/owner": "u1", "caudal.dev/generation": "4" } },
      "ours",
    ],
    ["ours by its owner", { labels: ours, ownerReferences: owned("u1") }, "ours"],
    [
      "newer than our plan",
      { labels: ours, annotations: { "caudal.dev/owner": "u1", "caudal.dev/generation": "5" } },
      "newer",
    ],
    [
      "reclaimed from a pipeline of our name that is gone",
      { labels: ours, annotations: { "caudal.dev/owner": "u0" } },
      "reclaim",
    ],
    [
      "reclaimed after its release",
      { labels: { ...ours, "caudal.dev/released": "true" }, annotations: { "caudal.dev/owner": "u1" } },
      "reclaim",
    ],
    ["refused without any label", {}, "refused"],
    ["refused when it is of another pipeline", { labels: { ...ours, "caudal.dev/pipeline": "other" } }, "refused"],
    [
      "refused when the garbage collector will take it with its dead owner",
      { labels: ours, ownerReferences: owned("u0") },
      "refused",
    ],
    ["adopted when it is offered", { annotations: { "caudal.dev/adopt": "true" } }, "adopt"],
    [
      "refused when a controller has it, also when it is offered",
      { annotations: { "caudal.dev/adopt": "true" }, ownerReferences: owned("u9") },
      "refused",
    ],
    ["refused when the offer is not true", { annotations: { "caudal.dev/adopt": "yes" } }, "refused"],
  ];
  test.each(cases)("%s", (_name, metadata, verdict) => expect(judge(object(metadata), pipeline).kind).toBe(verdict));
});

describe("a refusal names the owner and says what to do", () => {
  const other = { ...ours, "caudal.dev/pipeline": "other" };
  const unmanaged = "set managed: false for it in spec.topics";
  const adopt = 'annotate it with caudal.dev/adopt: "true"';
  const cases: [string, KubeObject, readonly string[], readonly string[]][] = [
    [
      "another pipeline's topic is used, and neither deleted nor taken",
      object({ labels: other }),
      ["belongs to the pipeline other, which keeps it", unmanaged],
      ["delete it", "adopt"],
    ],
    ["somebody's topic may be used or taken", object({}), ["is not this pipeline's", unmanaged, adopt], []],
    [
      "a topic that another pipeline has let go may be taken",
      object({ labels: { ...other, "caudal.dev/released": "true" } }),
      [adopt],
      ["belongs to"],
    ],
    [
      "another pipeline's database gets another name",
      { ...object({ labels: other }), kind: "Database" },
      ["belongs to the pipeline other", "use another name"],
      ["delete it", "adopt", "managed"],
    ],
    [
      "what has a controller is let go by that",
      object({ ownerReferences: [{ apiVersion: "v1", kind: "Thing", name: "t", uid: "u9", controller: true }] }),
      ["belongs to Thing/t", "remove its owner"],
      ["adopt"],
    ],
    [
      "what the garbage collector takes is waited for",
      object({ labels: ours, ownerReferences: owned("u0") }),
      ["of an earlier pipeline shop that is gone"],
      ["delete it", "adopt"],
    ],
  ];
  test.each(cases)("%s", (_name, live, parts, absent) => {
    const verdict = judge(live, pipeline);
    const message = verdict.kind === "refused" ? verdict.message : "";
    for (const part of parts) expect(message).toContain(part);
    for (const part of absent) expect(message).not.toContain(part);
  });
});
