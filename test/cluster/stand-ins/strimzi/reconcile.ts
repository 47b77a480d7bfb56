import { createHash, randomBytes } from "node:crypto";
import { secretText } from "../core/objects.ts";
import type { StatefulSet } from "../core/objects.ts";
import { belongsTo, ensureAdminSecret } from "../admin-secret.ts";
import { podReady, writeStatus } from "../context.ts";
import type { Context } from "../context.ts";
import { ApiError } from "../kube/client.ts";
import { Admin } from "./admin.ts";
import { ensureAuthority, forgetOldAuthorities } from "./authority.ts";
import { adminSecretName, bootstrapHost, buildKafka, clusterOf, listenerStatus, podSetName } from "./core/build.ts";
import { kafkaVersion } from "./core/types.ts";
import type { Kafka, KafkaNodePool } from "./core/types.ts";
import { refusals } from "./core/validate.ts";
import { reconcileTopics } from "./topics.ts";
import { reconcileUsers } from "./users.ts";

const resyncMs = 30_000;
const namesakeMs = 1_000;

/** Brings one Kafka, its topics and its users to what their resources say; answers when to look again. */
export async function reconcileKafka(context: Context, key: string): Promise<number> {
  const [namespace = "", name = ""] = key.split("/");
  const kafka = context.kafkas.get(namespace, name);
  if (kafka === undefined || kafka.metadata.deletionTimestamp !== undefined) return Infinity;
  const pools = context.pools.inNamespace(namespace).filter((pool) => clusterOf(pool) === name);
  const refused = refusals(kafka, pools)[0];
  if (refused !== undefined) return notReady(context, kafka, "NotHonoured", refused);
  const pool = pools[0];
  if (pool === undefined) {
    return notReady(
      context,
      kafka,
      "InvalidConfigurationException",
      `no KafkaNodePool has the label strimzi.io/cluster: ${name}`,
    );
  }
  const secret = await ensureAdminSecret(context, kafka, adminSecretName(name), { "cluster-id": clusterId() });
  const authority = await ensureAuthority(context, kafka);
  if (
    secret === undefined ||
    authority === undefined ||
    !belongsTo(context.statefulSets.get(namespace, podSetName(kafka, pool)), kafka)
  ) {
    await notReady(context, kafka, "Creating", "waiting until what a deleted Kafka of this name left is gone");
    return namesakeMs;
  }
  let statefulSet: StatefulSet;
  try {
    statefulSet = await applyAll(context, kafka, pool, authority.generation);
  } catch (error) {
    if (!(error instanceof ApiError && error.statusCode === 422)) throw error;
    return notReady(context, kafka, "InvalidResourceException", `the API server refuses it: ${error.message}`);
  }
  if (!podReady(statefulSet)) {
    await notReady(context, kafka, "Creating", "the broker's pod is not ready yet");
    return resyncMs;
  }
  let usersMs = Infinity;
  const admin = await Admin.open(bootstrapHost(kafka), secretText(secret, "password") ?? "");
  try {
    const described = await admin.describe();
    await forgetOldAuthorities(context, kafka);
    await writeReady(context, kafka, pool, described.clusterId, authority.certificate);
    const operator = kafka.spec?.entityOperator;
    if (operator?.topicOperator !== undefined) await reconcileTopics(context, kafka, admin, described.topics);
    if (operator?.userOperator !== undefined) usersMs = await reconcileUsers(context, kafka, admin);
  } finally {
    await admin.close();
  }
  return Math.min(resyncMs, usersMs);
}

async function applyAll(context: Context, kafka: Kafka, pool: KafkaNodePool, authority: number): Promise<StatefulSet> {
  let last = {} as StatefulSet;
  for (const object of buildKafka(kafka, pool, checksum, authority))
    last = await context.client.apply(object as StatefulSet);
  return last;
}

function checksum(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/** Kafka's own tools never begin an id with a dash, which command lines would take for an option. */
function clusterId(): string {
  const id = randomBytes(16).toString("base64url");
  return id.startsWith("-") ? clusterId() : id;
}

/** Strimzi's way to say no: a condition NotReady that is True, in place of Ready. */
async function notReady(context: Context, kafka: Kafka, reason: string, message: string): Promise<number> {
  await writeStatus(context, kafka, {
    ...kafka.status,
    conditions: [{ type: "NotReady", status: "True", reason, message }],
    observedGeneration: kafka.metadata.generation,
  });
  return Infinity;
}

async function writeReady(
  context: Context,
  kafka: Kafka,
  pool: KafkaNodePool,
  clusterId: string,
  certificate: string,
): Promise<void> {
  await writeStatus(context, pool, {
    observedGeneration: pool.metadata.generation,
    nodeIds: [0],
    clusterId,
    roles: pool.spec?.roles,
    replicas: 1,
    labelSelector: `strimzi.io/cluster=${kafka.metadata.name},strimzi.io/pool-name=${pool.metadata.name}`,
  });
  await writeStatus(context, kafka, {
    conditions: [{ type: "Ready", status: "True" }],
    observedGeneration: kafka.metadata.generation,
    listeners: listenerStatus(kafka, certificate),
    clusterId,
    kafkaVersion,
    kafkaNodePools: [{ name: pool.metadata.name }],
  });
}
