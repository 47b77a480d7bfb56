import type { KubeObject } from "../kube/object.ts";
import { failsFor, fails, type Finding, holds } from "./condition.ts";
import { buildKafkaTopics } from "../plan/kafka-topic.ts";
import { childrenOf, type Facts, failuresOf, missingOf } from "./facts.ts";
import { readinessOf } from "./readiness.ts";
import { findUnseen } from "./unseen.ts";

export function findTopicsReady(facts: Facts): Finding {
  const { pipeline, installed, kafka } = facts.observation;
  const { clusterRef } = pipeline.spec.kafka;
  if (clusterRef === undefined) return holds("External", "the topics are outside: nobody here manages them");
  const unseen = findUnseen(facts, "Kafka", "KafkaTopic", "KafkaUser");
  if (unseen !== undefined) return unseen;
  if (!installed.strimzi)
    return fails(
      "StrimziNotInstalled",
      "Strimzi's kinds (kafka.strimzi.io/v1) are not in this cluster: install Strimzi 1.0 or newer, or use " +
        "spec.kafka.external; it is noticed when it arrives",
    );
  if (kafka === undefined)
    return fails(
      "KafkaNotFound",
      `Kafka/${clusterRef.name} does not exist in namespace ${pipeline.metadata.namespace}: create it, or another ` +
        "pipeline that names the right one",
    );
  const failures = failuresOf(facts, "KafkaTopic", "KafkaUser");
  if (failures.length > 0) return failsFor(failures);
  const children = childrenOf(facts, "KafkaTopic", "KafkaUser");
  const waiting = children.map(readinessOf).filter(({ ready }) => !ready);
  if (waiting.length === 0)
    return missingOf(facts, buildKafkaTopics(pipeline)) ?? findNone(facts) ?? allReady(children);
  const cause = readinessOf(kafka);
  return failsFor(cause.ready ? waiting : [cause, ...waiting]);
}

/** Where there is nothing to be ready. */
function findNone({ children, problems }: Facts): Finding | undefined {
  if (children.some(({ kind }) => kind === "KafkaTopic" || kind === "KafkaUser")) return undefined;
  if (problems.length > 0)
    return {
      ...fails("SpecRefused", "nothing is made while the spec is refused: correct what ConfigValid says"),
      status: "Unknown",
    };
  return holds("NotManaged", "every topic is managed: false, nobody here makes any");
}

function allReady(children: readonly KubeObject[]): Finding {
  const topics = children.filter(({ kind }) => kind === "KafkaTopic").length;
  const user = children.length > topics ? ", and the KafkaUser" : "";
  return holds("TopicsReady", `${topics} of ${topics} topics are ready${user}`);
}
