import { managedBy, namespaceOf, ownedBy } from "../../core/objects.ts";
import type { KubeObject, Metadata } from "../../core/objects.ts";
import { serverSecretName } from "./authority.ts";
import { adminPort, dataFolder, serverFolder, serverProperties, startScript } from "./broker-config.ts";
import { clusterLabel } from "./types.ts";
import type { Kafka, KafkaNodePool, KafkaTopic, KafkaUser, ListenerStatus } from "./types.ts";
import { volumeOf } from "./validate.ts";

/** The image of the broker; assembled by the cluster's tool. */
export const kafkaImage = "localhost/caudal/dev-kafka:4.3.1";
const restricted = { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] }, readOnlyRootFilesystem: true };
const nonRoot = {
  runAsNonRoot: true,
  runAsUser: 1001,
  runAsGroup: 1001,
  fsGroup: 1001,
  seccompProfile: { type: "RuntimeDefault" },
};

/** The secret with the stand-in's own password to the broker and the id that the storage is formatted with. */
export function adminSecretName(cluster: string): string {
  return `${cluster}-kafka-stand-in`;
}

/** The name of the StatefulSet, and of its pod but for the number. */
export function podSetName(kafka: Kafka, pool: KafkaNodePool): string {
  return `${kafka.metadata.name}-${pool.metadata.name}`;
}

/** The host by which every listener of the cluster is first reached. */
export function bootstrapHost(kafka: Kafka): string {
  return `${kafka.metadata.name}-kafka-bootstrap.${namespaceOf(kafka)}.svc`;
}

/**
 * All objects of a Kafka with its one node pool, sorted as they are applied.
 *
 * @param checksum rolls the pod when it changes
 * @param authority the generation of the authority that has signed the broker's certificate; another one rolls the pod
 */
export function buildKafka(
  kafka: Kafka,
  pool: KafkaNodePool,
  checksum: (text: string) => string,
  authority: number,
): KubeObject[] {
  const name = kafka.metadata.name;
  const podSet = podSetName(kafka, pool);
  const labels = { ...managedBy, [clusterLabel]: name, "strimzi.io/kind": "Kafka", "strimzi.io/name": `${name}-kafka` };
  const metadata = (own: string, more: Record<string, string> = {}): Metadata => ({
    name: own,
    namespace: namespaceOf(kafka),
    labels: { ...labels, ...more },
    ownerReferences: [ownedBy(kafka)],
  });
  const files = {
    "server.properties": serverProperties(kafka, `${podSet}-0.${name}-kafka-brokers.${namespaceOf(kafka)}.svc`),
    "start.sh": startScript,
  };
  const podLabels = {
    ...labels,
    "strimzi.io/pool-name": pool.metadata.name,
    "strimzi.io/broker-role": "true",
    "strimzi.io/controller-role": "true",
  };
  const ports = [
    { name: "tcp-admin", port: adminPort },
    ...(kafka.spec?.kafka.listeners ?? []).map((listener) => ({ name: `tcp-${listener.name}`, port: listener.port })),
  ];
  const selector = { [clusterLabel]: name, "strimzi.io/broker-role": "true" };
  return [
    { apiVersion: "v1", kind: "ConfigMap", metadata: metadata(podSet), data: files } as KubeObject,
    service(metadata(`${name}-kafka-bootstrap`), { selector, ports }),
    service(metadata(`${name}-kafka-brokers`), { selector, ports, clusterIP: "None", publishNotReadyAddresses: true }),
    {
      apiVersion: "apps/v1",
      kind: "StatefulSet",
      metadata: metadata(podSet, podLabels),
      spec: {
        replicas: 1,
        serviceName: `${name}-kafka-brokers`,
        podManagementPolicy: "Parallel",
        selector: { matchLabels: { [clusterLabel]: name, "strimzi.io/pool-name": pool.metadata.name } },
        template: {
          metadata: {
            labels: podLabels,
            annotations: {
              "caudal.dev/config-hash": checksum(JSON.stringify(files)),
              "strimzi.io/cluster-ca-key-generation": String(authority),
            },
          },
          spec: podSpec(kafka, pool, podSet),
        },
        ...claims(pool),
      },
    },
  ];
}

function service(metadata: Metadata, spec: Record<string, unknown>): KubeObject {
  return { apiVersion: "v1", kind: "Service", metadata, spec };
}

function podSpec(kafka: Kafka, pool: KafkaNodePool, configMap: string): Record<string, unknown> {
  const password = { secretKeyRef: { name: adminSecretName(kafka.metadata.name), key: "password" } };
  const clusterId = { secretKeyRef: { name: adminSecretName(kafka.metadata.name), key: "cluster-id" } };
  const volume = volumeOf(pool);
  const probe = { tcpSocket: { port: adminPort }, timeoutSeconds: 5 };
  return {
    enableServiceLinks: false,
    automountServiceAccountToken: false,
    securityContext: nonRoot,
    terminationGracePeriodSeconds: 30,
    containers: [
      {
        name: "kafka",
        image: kafkaImage,
        imagePullPolicy: "IfNotPresent",
        command: ["/bin/sh", "/etc/stand-in/start.sh"],
        env: [
          { name: "STAND_IN_PASSWORD", valueFrom: password },
          { name: "CLUSTER_ID", valueFrom: clusterId },
          { name: "JAVA_OPTIONS", value: javaOptions(kafka, pool) },
        ],
        securityContext: restricted,
        ...(pool.spec?.resources === undefined ? {} : { resources: pool.spec.resources }),
        startupProbe: { ...probe, periodSeconds: 1, failureThreshold: 180 },
        readinessProbe: { ...probe, periodSeconds: 5 },
        livenessProbe: { ...probe, periodSeconds: 10, failureThreshold: 6 },
        volumeMounts: [
          { name: `data-${String(volume.id ?? 0)}`, mountPath: dataFolder },
          { name: "config", mountPath: "/etc/stand-in", readOnly: true },
          { name: "server", mountPath: serverFolder, readOnly: true },
          { name: "tmp", mountPath: "/tmp" },
        ],
      },
    ],
    volumes: [
      { name: "config", configMap: { name: configMap } },
      { name: "server", secret: { secretName: serverSecretName(kafka), defaultMode: 0o440 } },
      { name: "tmp", emptyDir: {} },
      ...(volume.type === "persistent-claim"
        ? []
        : [
            {
              name: `data-${String(volume.id ?? 0)}`,
              emptyDir: volume.sizeLimit === undefined ? {} : { sizeLimit: volume.sizeLimit },
            },
          ]),
    ],
  };
}

function claims(pool: KafkaNodePool): Record<string, unknown> {
  const volume = volumeOf(pool);
  if (volume.type !== "persistent-claim") return {};
  return {
    persistentVolumeClaimRetentionPolicy: {
      whenDeleted: volume.deleteClaim === true ? "Delete" : "Retain",
      whenScaled: "Retain",
    },
    volumeClaimTemplates: [
      {
        apiVersion: "v1",
        kind: "PersistentVolumeClaim",
        metadata: { name: `data-${String(volume.id ?? 0)}`, labels: managedBy },
        spec: {
          accessModes: ["ReadWriteOnce"],
          resources: { requests: { storage: volume.size ?? "1Gi" } },
          ...(volume.class === undefined ? {} : { storageClassName: volume.class }),
        },
      },
    ],
  };
}

/** Half the container's memory as heap where it has a limit; a quick start unless the pool says otherwise. */
function javaOptions(kafka: Kafka, pool: KafkaNodePool): string {
  const options = pool.spec?.jvmOptions ?? kafka.spec?.kafka.jvmOptions ?? {};
  const limits = (pool.spec?.resources as { limits?: { memory?: string } } | undefined)?.limits;
  const heap =
    options["-Xmx"] === undefined
      ? limits?.memory === undefined
        ? "-Xmx512m"
        : "-XX:MaxRAMPercentage=50.0"
      : `-Xmx${options["-Xmx"]}`;
  const own = options["-XX"] === undefined ? ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"] : flags(options["-XX"]);
  return [heap, ...(options["-Xms"] === undefined ? [] : [`-Xms${options["-Xms"]}`]), ...own].join(" ");
}

function flags(xx: Record<string, string>): string[] {
  return Object.entries(xx)
    .sort()
    .map(([key, value]) =>
      value === "true" ? `-XX:+${key}` : value === "false" ? `-XX:-${key}` : `-XX:${key}=${value}`,
    );
}

/** Where clients find the listeners. */
export function listenerStatus(kafka: Kafka, certificate: string): ListenerStatus[] {
  const host = bootstrapHost(kafka);
  return (kafka.spec?.kafka.listeners ?? []).map(({ name, port, tls }) => ({
    name,
    bootstrapServers: `${host}:${String(port)}`,
    addresses: [{ host, port }],
    ...(tls ? { certificates: [certificate] } : {}),
  }));
}

/** The secret that a KafkaUser's clients log in with. */
export function buildUserSecret(user: KafkaUser, password: string): KubeObject {
  const name = user.metadata.name;
  const data = {
    password: base64(password),
    "sasl.jaas.config": base64(
      `org.apache.kafka.common.security.scram.ScramLoginModule required username="${name}" password="${password}";`,
    ),
  };
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name,
      namespace: namespaceOf(user),
      labels: { ...managedBy, [clusterLabel]: clusterOf(user) ?? "", "strimzi.io/kind": "KafkaUser" },
      ownerReferences: [ownedBy(user)],
    },
    type: "Opaque",
    data,
  } as KubeObject;
}

/** The name of the Kafka that a topic, user or pool belongs to. */
export function clusterOf(object: KafkaTopic | KafkaUser | KafkaNodePool): string | undefined {
  return object.metadata.labels?.[clusterLabel];
}

function base64(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}
