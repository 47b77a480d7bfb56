/** How workloads reach Kafka, from the spec and, for a Strimzi Kafka, from what it says of its listeners. */
import { path, type KafkaConnection, type StreamPipeline } from "@caudal/crds";
import type { ReportedObject } from "./reported-object.ts";
import { kafkaUserName } from "./names.ts";
import type { SecretUse } from "./secrets.ts";

export interface KafkaAccess {
  /** Undefined while it cannot be told; then reason and message say why. */
  readonly connection: KafkaConnection | undefined;
  readonly reason: string;
  readonly message: string;
  /** The Kafka makes the pipeline's user. */
  readonly user: boolean;
  /** Kafka's authorization is `simple`: the user needs ACLs. */
  readonly acls: boolean;
  readonly userSecret?: { readonly name: string; readonly keys: readonly string[] };
  readonly caSecret?: Pick<SecretUse, "name" | "keys" | "whole" | "readAgain">;
}

interface Listener {
  name: string;
  tls?: boolean;
  authentication?: { type: string };
}

export function listenersOf(kafka: ReportedObject | undefined): readonly Listener[] {
  const spec = kafka?.spec?.["kafka"] as { listeners?: Listener[] } | undefined;
  return spec?.listeners ?? [];
}

export function kafkaAccessOf(pipeline: StreamPipeline, kafka: ReportedObject | undefined): KafkaAccess {
  const { clusterRef, external } = pipeline.spec.kafka;
  if (external !== undefined) return externalAccess(external);
  const none = { connection: undefined, user: false, acls: false };
  if (clusterRef === undefined) return { ...none, reason: "NoKafka", message: "spec.kafka names no Kafka" };
  const title = `Kafka/${clusterRef.name}`;
  if (kafka === undefined)
    return {
      ...none,
      reason: "KafkaNotFound",
      message: `${title} does not exist in namespace ${pipeline.metadata.namespace}: create it, or correct spec.kafka.clusterRef.name`,
    };
  const listener = listenersOf(kafka).find(({ name }) => name === clusterRef.listener);
  const served = (kafka.status?.["listeners"] ?? []) as { name?: string; bootstrapServers?: string }[];
  const bootstrap = served.find(({ name }) => name === clusterRef.listener)?.bootstrapServers;
  const scram = listener?.authentication?.type === "scram-sha-512";
  const authorization = (kafka.spec?.["kafka"] as { authorization?: { type?: string } } | undefined)?.authorization;
  const access = { user: scram, acls: scram && authorization?.type === "simple" };
  const user = kafkaUserName(pipeline.metadata.name);
  const userSecret = scram ? { userSecret: { name: user, keys: ["password"] } } : {};
  const caSecret =
    listener?.tls === true
      ? // Strimzi keeps the authority before the newest one beside it, as ca-<date>.crt, while brokers still show it.
        { caSecret: { name: `${clusterRef.name}-cluster-ca-cert`, keys: ["ca.crt"], whole: true, readAgain: true } }
      : {};
  if (listener === undefined || bootstrap === undefined || bootstrap === "")
    return {
      connection: undefined,
      ...access,
      ...userSecret,
      ...caSecret,
      reason: "KafkaNotReady",
      message: `${title} does not yet say in status.listeners how its listener ${clusterRef.listener} is reached`,
    };
  return {
    ...access,
    ...userSecret,
    ...caSecret,
    reason: "",
    message: "",
    connection: {
      bootstrapServers: bootstrap.split(","),
      ...(listener.tls === true ? { tls: { ca: path.kafkaCa } } : {}),
      ...(scram ? { sasl: { mechanism: "scram-sha-512", username: user, secret: path.kafkaUser } } : {}),
    },
  };
}

function externalAccess(external: NonNullable<StreamPipeline["spec"]["kafka"]["external"]>): KafkaAccess {
  const { tls, authentication } = external;
  const ca = tls?.caSecretRef;
  return {
    user: false,
    acls: false,
    reason: "",
    message: "",
    ...(authentication === undefined
      ? {}
      : { userSecret: { name: authentication.secretRef.name, keys: ["username", "password"] } }),
    ...(ca === undefined ? {} : { caSecret: { name: ca.name, keys: ["ca.crt"], readAgain: true } }),
    connection: {
      bootstrapServers: external.bootstrapServers.split(","),
      ...(tls === undefined ? {} : { tls: ca === undefined ? {} : { ca: path.kafkaCa } }),
      ...(authentication === undefined ? {} : { sasl: { mechanism: authentication.type, secret: path.kafkaUser } }),
    },
  };
}
