/** Which topics the pipeline has, by Kafka's ids, and which of them were lost: told until a person acknowledges it. */
import { annotation, type PipelineStatus, readLostTopics, topicIdText } from "@caudal/crds";
import type { KubeObject } from "../kube/object.ts";
import { buildKafkaTopics } from "../plan/kafka-topic.ts";
import { readingStagesOf } from "@caudal/pipeline";
import type { Facts } from "./facts.ts";
import { seconds } from "./condition.ts";
import { type Extent, extentOf, sizeOf } from "./topic-extent.ts";

type KnownTopic = NonNullable<PipelineStatus["topics"]>[number];
export type LostTopic = NonNullable<PipelineStatus["lostTopics"]>[number];

/** Ids of one topic that were lost one after another and are not acknowledged: the latest so many. */
const IDS = 16;

export interface TopicIdentities {
  /** By name. */
  readonly topics: readonly KnownTopic[];
  /** Not acknowledged yet, by name. */
  readonly lost: readonly LostTopic[];
}

/** Compares the topics of now with those that the status before recorded. What is not seen now says nothing. */
export function identifyTopics(facts: Facts): TopicIdentities {
  const { pipeline, unseen } = facts.observation;
  const known = new Map((pipeline.status?.topics ?? []).map((topic) => [topic.name, topic]));
  const acknowledged = readLostTopics(pipeline.metadata.annotations?.[annotation.acknowledgeLostTopics]);
  const lost = new Map((pipeline.status?.lostTopics ?? []).map((topic) => [topic.name, topic]));
  const seen = seenIds(facts);
  // What a refused spec leaves out is still there.
  const undecided = facts.problems.length > 0 || unseen.some(({ kind }) => kind === "KafkaTopic");
  for (const name of known.keys()) if (!undecided && !seen.has(name)) known.delete(name);
  for (const [name, ids] of seen) {
    const before = known.get(name);
    // A pod, or a cache, that is behind may still tell of one that is gone.
    const gone = new Set([...(lost.get(name)?.ids ?? []), ...(acknowledged.get(name) ?? [])]);
    const id = ids.find((other) => other !== before?.id && !gone.has(other)) ?? before?.id;
    if (id === undefined) continue;
    if (before !== undefined && before.id !== id) lost.set(name, loseTopic(facts, lost.get(name), before, id));
    known.set(name, withExtent(id, before, extentOf(facts, name, id)));
  }
  return {
    topics: byName([...known.values()]),
    lost: byName(
      [...lost.values()].flatMap((topic) => {
        const ids = topic.ids.filter((id) => acknowledged.get(topic.name)?.includes(id) !== true);
        return ids.length === 0 ? [] : [measured(facts, { ...topic, ids })];
      }),
    ),
  };
}

/** By topic of the spec, the ids that it is said to have: by Strimzi, or where nobody manages it by stages that read it. */
function seenIds(facts: Facts): ReadonlyMap<string, readonly string[]> {
  const { pipeline, unseen, children, pods } = facts.observation;
  const found = new Map<string, readonly string[]>();
  for (const { topic } of readingStagesOf(pipeline)) {
    const told = pods.flatMap(({ terminating, status }) => {
      const reads = status?.value.reads;
      // A person copies it into a shell: what is no id of Kafka's is not one.
      const id = reads?.topic === topic && !terminating ? topicIdText(reads.topicId) : undefined;
      return id === undefined ? [] : [id];
    });
    found.set(topic, told);
  }
  const blind = unseen.some(({ kind }) => kind === "KafkaTopic");
  const objects = new Map<string, KubeObject>();
  for (const object of [...children.values(), ...facts.children])
    if (object.kind === "KafkaTopic") objects.set(object.metadata.name, object);
  for (const { metadata, spec } of buildKafkaTopics(pipeline)) {
    const topic = spec?.["topicName"];
    const id = blind ? undefined : objects.get(metadata.name)?.status?.["topicId"];
    const known = typeof id === "string" ? topicIdText(id) : undefined;
    found.set(typeof topic === "string" ? topic : metadata.name, known === undefined ? [] : [known]);
  }
  return found;
}

function withExtent(id: string, before: KnownTopic | undefined, extent: Extent): KnownTopic {
  const old = (before?.id === id ? before.ends : undefined) ?? [];
  // What nobody says now is as it was said last.
  const [longer, shorter] = old.length > extent.ends.length ? [old, extent.ends] : [extent.ends, old];
  const ends = longer.map((end, partition) => Math.max(end, shorter[partition] ?? -1));
  return { name: extent.name, id, ...(ends.length > 0 && { ends }) };
}

function loseTopic({ observation }: Facts, open: LostTopic | undefined, before: KnownTopic, newId: string): LostTopic {
  const at = seconds(observation.now);
  return {
    name: before.name,
    ids: [...(open?.ids ?? []), before.id].slice(-IDS),
    newId,
    since: open?.since ?? at,
    at,
    ...(before.ends === undefined ? {} : { offsets: sizeOf(before.ends), ends: before.ends }),
  };
}

/** With what stages remember of the topic that was lost last, where that is more than was known before. */
function measured(facts: Facts, topic: LostTopic): LostTopic {
  const id = topic.ids.at(-1);
  if (id === undefined) return topic;
  const { ends, unread } = extentOf(facts, topic.name, id);
  const offsets = sizeOf(ends);
  // Pods that begin anew remember nothing.
  if (ends.length === 0 || offsets < (topic.offsets ?? 0)) return topic;
  return { ...topic, offsets, ends: [...ends], unread: [...unread] };
}

function byName<T extends { readonly name: string }>(topics: readonly T[]): T[] {
  return [...topics].sort((a, b) => (a.name < b.name ? -1 : 1));
}
