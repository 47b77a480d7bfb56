import { refusal, unhonoured } from "../../core/honoured.ts";
import type { Honoured } from "../../core/honoured.ts";
import { kafkaVersion } from "./types.ts";
import type { Kafka, KafkaNodePool, KafkaUser, Volume } from "./types.ts";

const jvmOptions: Honoured = { "-Xmx": true, "-Xms": true, "-XX": true };

/** What of a Kafka's spec is honoured. The resources of the entity operator are accepted: it has no pod here. */
export const honouredKafka: Honoured = {
  kafka: {
    version: true,
    listeners: { name: true, port: true, type: true, tls: true, authentication: { type: true } },
    config: true,
    authorization: { type: true, superUsers: true },
    jvmOptions,
  },
  entityOperator: { topicOperator: { resources: true }, userOperator: { resources: true } },
};

const volume: Honoured = {
  type: true,
  id: true,
  size: true,
  sizeLimit: true,
  class: true,
  deleteClaim: true,
  kraftMetadata: true,
};

export const honouredNodePool: Honoured = {
  replicas: true,
  roles: true,
  storage: typeof volume === "object" ? { ...volume, volumes: volume } : true,
  resources: true,
  jvmOptions,
};

export const honouredUser: Honoured = {
  authentication: { type: true, password: true },
  authorization: { type: true, acls: true },
};

/** Settings that belong to the cluster's own make-up; Strimzi ignores them in a spec, the stand-in says so. */
const ownSettings = [
  "advertised.",
  "authorizer.",
  "broker.",
  "config.providers",
  "controller",
  "host.name",
  "inter.broker.listener.name",
  "listener.",
  "listeners",
  "log.dir",
  "metadata.log.dir",
  "node.id",
  "password.",
  "port",
  "process.roles",
  "sasl.",
  "security.",
  "ssl.",
  "super.user",
];

/** Everything that keeps a Kafka with its node pools from running here, in sentences; none: it can run. */
export function refusals(kafka: Kafka, pools: readonly KafkaNodePool[]): string[] {
  const paths = [
    ...unhonoured(kafka.spec, honouredKafka, "spec"),
    ...pools.flatMap((pool) => unhonoured(pool.spec, honouredNodePool, `KafkaNodePool/${pool.metadata.name}.spec`)),
    ...listenerPaths(kafka),
    ...Object.keys(kafka.spec?.kafka.config ?? {})
      .filter((key) => ownSettings.some((prefix) => key.startsWith(prefix)))
      .map((key) => `spec.kafka.config["${key}"]`),
  ];
  const version = kafka.spec?.kafka.version;
  if (version !== undefined && version !== kafkaVersion)
    paths.push(`spec.kafka.version ${version} (only ${kafkaVersion})`);
  const authorization = kafka.spec?.kafka.authorization?.type;
  if (authorization !== undefined && authorization !== "simple")
    paths.push(`spec.kafka.authorization.type ${authorization}`);
  const pool = pools[0];
  if (pools.length > 1) paths.push("more than one KafkaNodePool");
  if (pool !== undefined) paths.push(...poolPaths(pool));
  return paths.length === 0 ? [] : [refusal(paths, "Strimzi")];
}

function listenerPaths(kafka: Kafka): string[] {
  return (kafka.spec?.kafka.listeners ?? []).flatMap(({ type, authentication }, index) => {
    const path = `spec.kafka.listeners[${String(index)}]`;
    const mechanism = authentication?.type;
    return [
      ...(type === "internal" ? [] : [`${path}.type ${type} (only internal)`]),
      ...(mechanism === undefined || mechanism === "scram-sha-512"
        ? []
        : [`${path}.authentication.type ${mechanism} (only scram-sha-512)`]),
    ];
  });
}

function poolPaths(pool: KafkaNodePool): string[] {
  const path = `KafkaNodePool/${pool.metadata.name}.spec`;
  const { replicas = 1, roles = [], storage } = pool.spec ?? {};
  const paths: string[] = [];
  if (replicas !== 1) paths.push(`${path}.replicas ${String(replicas)} (only 1)`);
  if (!roles.includes("broker") || !roles.includes("controller"))
    paths.push(`${path}.roles other than both broker and controller`);
  if ((storage?.volumes?.length ?? 1) !== 1) paths.push(`${path}.storage.volumes other than one`);
  return paths;
}

/** The one volume of a pool, however it is written. */
export function volumeOf(pool: KafkaNodePool): Volume {
  const storage = pool.spec?.storage;
  return (storage?.type === "jbod" ? storage.volumes?.[0] : storage) ?? { type: "ephemeral" };
}

/** What keeps a KafkaUser from being honoured, in a sentence. */
export function userRefusal(user: KafkaUser, authorizes: boolean): string | undefined {
  const paths = unhonoured(user.spec, honouredUser, "spec");
  const type = user.spec?.authentication?.type;
  if (type !== undefined && type !== "scram-sha-512")
    paths.push(`spec.authentication.type ${type} (only scram-sha-512)`);
  if (paths.length > 0) return refusal(paths, "Strimzi");
  if (user.spec?.authorization !== undefined && !authorizes) {
    return "spec.authorization asks for ACLs, but the Kafka cluster has no spec.kafka.authorization of type simple";
  }
  const reference = user.spec?.authentication?.password?.valueFrom?.secretKeyRef;
  if (user.spec?.authentication?.password !== undefined && (!reference?.name || !reference.key)) {
    return "spec.authentication.password.valueFrom.secretKeyRef needs both name and key";
  }
  return undefined;
}
