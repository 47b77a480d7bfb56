import { keyOf } from "../../core/objects.ts";
import type { Condition } from "../../core/conditions.ts";
import type { KafkaTopic, Status } from "./types.ts";

/** The finalizer that keeps a KafkaTopic until its topic is gone, as the Topic Operator's does. */
export const topicFinalizer = "strimzi.io/topic-operator";

/** A topic as the broker has it; `config` are the settings made for this topic, not the broker's defaults. */
export interface TopicState {
  id: string;
  partitions: number;
  replicas: number;
  config: Record<string, string>;
}

/** What to do about one KafkaTopic. */
export type TopicDecision =
  | { action: "unmanaged" }
  | { action: "fail"; reason: string; message: string }
  | { action: "create"; partitions: number; replicas: number; config: Record<string, string> }
  | {
      action: "alter";
      partitions: number | undefined;
      set: Record<string, string>;
      unset: string[];
      refused: string | undefined;
    }
  | { action: "release" }
  | { action: "delete" };

/** The name of the topic in Kafka. */
export function topicName(topic: KafkaTopic): string {
  return topic.spec?.topicName ?? topic.metadata.name;
}

/** Decides for one KafkaTopic, given all of its cluster and the topic's state; undefined: Kafka has no such topic. */
export function decideTopic(
  topic: KafkaTopic,
  all: readonly KafkaTopic[],
  state: TopicState | undefined,
): TopicDecision {
  const managed = isManaged(topic);
  const deleting = topic.metadata.deletionTimestamp !== undefined;
  if (!managed) return { action: deleting ? "release" : "unmanaged" };
  const known = topic.status?.topicName;
  const renamed = known !== undefined && known !== topicName(topic);
  if (renamed)
    return { action: "fail", reason: "NotSupported", message: `spec.topicName cannot change; it was ${known}` };
  if (deleting) return { action: "delete" }; // as Strimzi's: also that of an object in conflict takes the topic along
  const owner = ownerOf(topic, all);
  if (owner !== topic) {
    return { action: "fail", reason: "ResourceConflict", message: `the topic is managed by ${keyOf(owner.metadata)}` };
  }
  const config = configOf(topic);
  if (state === undefined) {
    return { action: "create", partitions: topic.spec?.partitions ?? -1, replicas: topic.spec?.replicas ?? -1, config };
  }
  const wanted = topic.spec?.partitions;
  const set = Object.fromEntries(Object.entries(config).filter(([key, value]) => state.config[key] !== value));
  const unset = Object.keys(state.config)
    .filter((key) => config[key] === undefined)
    .sort();
  return {
    action: "alter",
    partitions: wanted !== undefined && wanted > state.partitions ? wanted : undefined,
    set,
    unset,
    refused: refusedChange(topic, state),
  };
}

function refusedChange(topic: KafkaTopic, state: TopicState): string | undefined {
  const { partitions, replicas } = topic.spec ?? {};
  if (partitions !== undefined && partitions < state.partitions) {
    return `partitions cannot go down from ${String(state.partitions)} to ${String(partitions)}`;
  }
  if (replicas !== undefined && replicas !== state.replicas) {
    return `the replication factor cannot change from ${String(state.replicas)} to ${String(replicas)}`;
  }
  return undefined;
}

/** Of several objects for one topic the oldest rules it; the name decides between twins. */
function ownerOf(topic: KafkaTopic, all: readonly KafkaTopic[]): KafkaTopic {
  const rivals = all.filter((other) => isManaged(other) && topicName(other) === topicName(topic));
  const age = ({ metadata }: KafkaTopic) => `${metadata.creationTimestamp ?? ""} ${metadata.name}`;
  return rivals.reduce((oldest, other) => (age(other) < age(oldest) ? other : oldest), topic);
}

function isManaged(topic: KafkaTopic): boolean {
  return topic.metadata.annotations?.["strimzi.io/managed"] !== "false";
}

function configOf(topic: KafkaTopic): Record<string, string> {
  return Object.fromEntries(
    Object.entries(topic.spec?.config ?? {})
      .filter(([, value]) => value !== null)
      .map(([key, value]) => [key, Array.isArray(value) ? value.join(",") : String(value)]),
  );
}

/** How a KafkaTopic ended: ready with the topic's id, not managed, or failed for a reason. */
export type TopicOutcome =
  | { result: "ready"; id: string }
  | { result: "unmanaged" }
  | { result: "failed"; reason: string; message: string; id?: string | undefined };

/** The status of a KafkaTopic, its conditions not yet stamped with times. */
export function topicStatus(
  topic: KafkaTopic,
  outcome: TopicOutcome,
): Status & { topicName?: string; topicId?: string } {
  const observed = { observedGeneration: topic.metadata.generation ?? 0 };
  const ready = (condition: Omit<Condition, "type">): Condition[] => [{ type: "Ready", ...condition }];
  const name = topic.status?.topicName ?? topicName(topic);
  switch (outcome.result) {
    case "unmanaged":
      return { conditions: [{ type: "Unmanaged", status: "True" }], ...observed };
    case "ready":
      return { conditions: ready({ status: "True" }), ...observed, topicName: name, topicId: outcome.id };
    case "failed":
      return {
        conditions: ready({ status: "False", reason: outcome.reason, message: outcome.message }),
        ...observed,
        topicName: name,
        ...(outcome.id === undefined ? {} : { topicId: outcome.id }),
      };
  }
}
