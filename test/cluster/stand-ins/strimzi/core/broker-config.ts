import type { Kafka, Listener } from "./types.ts";

/** The stand-in's own user on the broker; a super user where the cluster authorizes. */
export const adminUser = "stand-in";
export const adminPort = 9091;
const controllerPort = 9090;
const plainLogin = "org.apache.kafka.common.security.plain.PlainLoginModule required";

/** Where the broker keeps its data in the pod. */
export const dataFolder = "/var/lib/kafka/data";
/** Where the certificate that the broker shows is in the pod. */
export const serverFolder = "/etc/stand-in-server";

/** server.properties of the one broker, which is its own controller. The password comes by environment. */
export function serverProperties(kafka: Kafka, advertisedHost: string): string {
  const listeners = kafka.spec?.kafka.listeners ?? [];
  const admin = `${plainLogin} username="${adminUser}" password="\${env:STAND_IN_PASSWORD}" user_${adminUser}="\${env:STAND_IN_PASSWORD}";`;
  const bound = [...listeners.map((one) => `${idOf(one)}:${String(one.port)}`), `ADMIN:${String(adminPort)}`];
  const lines = new Map<string, string>([
    ["process.roles", "broker,controller"],
    ["node.id", "0"],
    ["controller.quorum.voters", `0@localhost:${String(controllerPort)}`],
    ["controller.listener.names", "CONTROLLER"],
    ["log.dirs", `${dataFolder}/kafka-log0`],
    ["listeners", [...bound.map(at("0.0.0.0")), `CONTROLLER://localhost:${String(controllerPort)}`].join(",")],
    ["advertised.listeners", bound.map(at(advertisedHost)).join(",")],
    ["listener.security.protocol.map", protocols(listeners)],
    ["inter.broker.listener.name", "ADMIN"],
    ["sasl.enabled.mechanisms", "PLAIN"],
    ["sasl.mechanism.inter.broker.protocol", "PLAIN"],
    ["sasl.mechanism.controller.protocol", "PLAIN"],
    ["config.providers", "env"],
    ["config.providers.env.class", "org.apache.kafka.common.config.provider.EnvVarConfigProvider"],
    ["offsets.topic.replication.factor", "1"],
    ["transaction.state.log.replication.factor", "1"],
    ["transaction.state.log.min.isr", "1"],
    ["share.coordinator.state.topic.replication.factor", "1"],
    ["share.coordinator.state.topic.min.isr", "1"],
  ]);
  for (const name of ["admin", "controller"]) {
    lines.set(`listener.name.${name}.sasl.enabled.mechanisms`, "PLAIN");
    lines.set(`listener.name.${name}.plain.sasl.jaas.config`, admin);
  }
  for (const listener of listeners.filter(({ tls }) => tls)) {
    const prefix = `listener.name.${idOf(listener).toLowerCase()}`;
    lines.set(`${prefix}.ssl.keystore.type`, "PEM");
    lines.set(`${prefix}.ssl.keystore.location`, `${serverFolder}/keystore.pem`);
  }
  for (const listener of listeners.filter(({ authentication }) => authentication !== undefined)) {
    const prefix = `listener.name.${idOf(listener).toLowerCase()}`;
    lines.set(`${prefix}.sasl.enabled.mechanisms`, "SCRAM-SHA-512");
    lines.set(
      `${prefix}.scram-sha-512.sasl.jaas.config`,
      "org.apache.kafka.common.security.scram.ScramLoginModule required;",
    );
  }
  const authorization = kafka.spec?.kafka.authorization;
  if (authorization !== undefined) {
    lines.set("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer");
    lines.set("super.users", [adminUser, ...(authorization.superUsers ?? [])].map((name) => `User:${name}`).join(";"));
  }
  for (const [key, value] of Object.entries(kafka.spec?.kafka.config ?? {}).sort()) lines.set(key, String(value));
  return [...lines].map(([key, value]) => `${key}=${value.replaceAll("\\", "\\\\")}\n`).join("");
}

/** Formats the storage once, with the cluster id that its data will carry from then on; then becomes the broker. */
export const startScript = [
  "set -eu",
  `logs=${dataFolder}/kafka-log0`,
  'if [ ! -s "$logs/meta.properties" ]; then',
  '  java -Xmx128m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "/opt/kafka/libs/*" \\',
  '    kafka.tools.StorageTool format --ignore-formatted -t "$CLUSTER_ID" -c /etc/stand-in/server.properties',
  "fi",
  'exec java $JAVA_OPTIONS -Dlog4j2.configurationFile=/opt/kafka/config/log4j2.properties -cp "/opt/kafka/libs/*" \\',
  "  kafka.Kafka /etc/stand-in/server.properties",
  "",
].join("\n");

function idOf({ name, port }: Listener): string {
  return `${name.toUpperCase()}-${String(port)}`;
}

function at(host: string): (bound: string) => string {
  return (bound) => bound.replace(/:(\d+)$/, `://${host}:$1`);
}

function protocols(listeners: readonly Listener[]): string {
  const protocol = ({ authentication, tls }: Listener) =>
    authentication === undefined ? (tls ? "SSL" : "PLAINTEXT") : tls ? "SASL_SSL" : "SASL_PLAINTEXT";
  const users = listeners.map((one) => `${idOf(one)}:${protocol(one)}`);
  return [...users, "ADMIN:SASL_PLAINTEXT", "CONTROLLER:SASL_PLAINTEXT"].join(",");
}
