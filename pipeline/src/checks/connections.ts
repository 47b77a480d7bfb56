/** The way to Kafka and to PostgreSQL. */
import type { Check } from "./check.ts";

/** Only where the Kafka is known: one that is still missing is a matter of TopicsReady. */
export const listenerExists: Check = ({ pipeline, listeners }) => {
  const { clusterRef } = pipeline.spec.kafka;
  if (clusterRef === undefined || listeners === undefined || listeners.length === 0) return [];
  if (listeners.some(({ name }) => name === clusterRef.listener)) return [];
  const names = listeners.map(({ name }) => name).join(", ");
  return [
    {
      reason: "ListenerNotFound",
      message: `spec.kafka.clusterRef.listener: Kafka/${clusterRef.name} has no listener ${clusterRef.listener}: use one of ${names}`,
    },
  ];
};

export const listenerAuthenticationIsSupported: Check = ({ pipeline, listeners }) => {
  const { clusterRef } = pipeline.spec.kafka;
  const listener = listeners?.find(({ name }) => name === clusterRef?.listener);
  const type = listener?.authentication?.type;
  if (clusterRef === undefined || type === undefined || type === "scram-sha-512") return [];
  return [
    {
      reason: "ListenerAuthenticationUnsupported",
      message: `spec.kafka.clusterRef.listener: the listener ${clusterRef.listener} of Kafka/${clusterRef.name} authenticates by ${type}: use one with scram-sha-512, or without authentication`,
    },
  ];
};

/** A commit that waits for more standbys than there are waits for ever. */
export const standbysSuffice: Check = ({ pipeline }) => {
  const cluster = pipeline.spec.database?.cluster;
  const { number = 0 } = cluster?.synchronous ?? {};
  if (cluster === undefined || number < cluster.instances) return [];
  return number === 0
    ? []
    : [
        {
          reason: "TooFewInstances",
          message: `spec.database.cluster.synchronous.number: ${number} standbys cannot confirm with ${cluster.instances} instances: set instances to ${number + 1} or more`,
        },
      ];
};
