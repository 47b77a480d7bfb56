import { namespaceOf } from "../core/objects.ts";
import { setFinalizer, writeStatus } from "../context.ts";
import type { Context } from "../context.ts";
import { BrokerRefusal } from "./admin.ts";
import type { Admin } from "./admin.ts";
import { clusterOf } from "./core/build.ts";
import { decideTopic, topicFinalizer, topicName, topicStatus } from "./core/topics.ts";
import type { TopicDecision, TopicOutcome, TopicState } from "./core/topics.ts";
import type { Kafka } from "./core/types.ts";

/** Brings the topics of a Kafka to what their KafkaTopics say; one that the broker refuses does not stop the others. */
export async function reconcileTopics(
  context: Context,
  kafka: Kafka,
  admin: Admin,
  states: Map<string, TopicState>,
): Promise<void> {
  const all = context.topics
    .inNamespace(namespaceOf(kafka))
    .filter((topic) => clusterOf(topic) === kafka.metadata.name);
  for (const topic of all) {
    const name = topicName(topic);
    const state = states.get(name);
    const decision = decideTopic(topic, all, state);
    if (decision.action === "delete" || decision.action === "release") {
      if (decision.action === "delete" && states.delete(name)) await admin.deleteTopic(name);
      await setFinalizer(context, topic, topicFinalizer, false);
      continue;
    }
    const writes = decision.action === "create" || decision.action === "alter";
    const held = writes ? await setFinalizer(context, topic, topicFinalizer, true) : topic;
    const outcome = await carryOut(admin, name, decision, state).catch((error: unknown): TopicOutcome => {
      if (!(error instanceof BrokerRefusal)) throw error;
      return { result: "failed", reason: error.code, message: error.message, id: state?.id };
    });
    await writeStatus(context, held, topicStatus(held, outcome));
  }
}

async function carryOut(
  admin: Admin,
  name: string,
  decision: Exclude<TopicDecision, { action: "delete" | "release" }>,
  state: TopicState | undefined,
): Promise<TopicOutcome> {
  switch (decision.action) {
    case "unmanaged":
      return { result: "unmanaged" };
    case "fail":
      return { result: "failed", reason: decision.reason, message: decision.message, id: state?.id };
    case "create":
      return {
        result: "ready",
        id: await admin.createTopic(name, decision.partitions, decision.replicas, decision.config),
      };
    case "alter": {
      const { set, unset, partitions, refused } = decision;
      if (Object.keys(set).length + unset.length > 0) await admin.alterConfig(name, set, unset);
      if (partitions !== undefined) await admin.addPartitions(name, partitions);
      if (refused !== undefined) return { result: "failed", reason: "NotSupported", message: refused, id: state?.id };
      return { result: "ready", id: state?.id ?? "" };
    }
  }
}
