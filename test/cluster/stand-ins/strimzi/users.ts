import { createHash, randomBytes } from "node:crypto";
import { namespaceOf, secretText } from "../core/objects.ts";
import type { Secret } from "../core/objects.ts";
import { delayOf, Waiting } from "../core/delay.ts";
import { writeStatus } from "../context.ts";
import type { Context } from "../context.ts";
import { BrokerRefusal } from "./admin.ts";
import type { Admin } from "./admin.ts";
import { aclsOf, diffAcls } from "./core/acls.ts";
import { buildUserSecret, clusterOf } from "./core/build.ts";
import type { Kafka, KafkaUser } from "./core/types.ts";
import { userRefusal } from "./core/validate.ts";

/** The passwords that this process has set, as hashes: a broker does not tell which password it has. */
const passwordsSet = new Map<string, string>();

const waiting = new Waiting();

/**
 * Brings the credentials and rules of a Kafka's users to what their KafkaUsers say.
 *
 * @returns after how many milliseconds the first that waits is due
 */
export async function reconcileUsers(context: Context, kafka: Kafka, admin: Admin): Promise<number> {
  const users = context.users
    .inNamespace(namespaceOf(kafka))
    .filter((user) => clusterOf(user) === kafka.metadata.name && user.metadata.deletionTimestamp === undefined);
  const delayMs = delayOf(kafka);
  const left = new Map(users.map((user) => [user.metadata.name, waiting.left(user, delayMs, performance.now())]));
  const waits = (name: string) => (left.get(name) ?? 0) > 0;
  const all = users.filter(({ metadata }) => !waits(metadata.name));
  const authorizes = kafka.spec?.kafka.authorization !== undefined;
  const present = await admin.scramUsers();
  const accepted: KafkaUser[] = [];
  for (const user of all) {
    const problem = userRefusal(user, authorizes) ?? (await setPassword(context, kafka, admin, user, present));
    if (problem === undefined) accepted.push(user);
    else await writeNotReady(context, user, problem);
  }
  const wanted = new Set(
    all.filter(({ spec }) => spec?.authentication !== undefined).map(({ metadata }) => metadata.name),
  );
  for (const name of present.filter((one) => !wanted.has(one) && !waits(one))) await admin.removeUser(name);
  if (authorizes) {
    const { create, remove } = diffAcls(accepted.flatMap(aclsOf), await admin.acls());
    await admin.changeAcls(
      create,
      remove.filter(({ principal }) => !waits(principal.replace(/^User:/, ""))),
    );
  }
  for (const user of accepted) {
    const secret = user.spec?.authentication === undefined ? {} : { secret: user.metadata.name };
    await writeStatus(context, user, {
      conditions: [{ type: "Ready", status: "True" }],
      observedGeneration: user.metadata.generation,
      username: user.metadata.name,
      ...secret,
    });
  }
  return Math.min(Infinity, ...[...left.values()].filter((ms) => ms > 0));
}

/** Makes the user's secret and the broker agree on one password; answers why that cannot be. */
async function setPassword(
  context: Context,
  kafka: Kafka,
  admin: Admin,
  user: KafkaUser,
  present: readonly string[],
): Promise<string | undefined> {
  if (user.spec?.authentication === undefined) return undefined;
  const name = user.metadata.name;
  const own = await context.client.get<Secret>("Secret", namespaceOf(user), name);
  const password = await wantedPassword(context, user, own);
  if (typeof password !== "string") return password.problem;
  const secret = buildUserSecret(user, password) as Secret;
  if (own?.data?.["password"] !== secret.data?.["password"] || own?.data?.["sasl.jaas.config"] === undefined) {
    await context.client.apply(secret);
  }
  const key = `${kafka.metadata.uid ?? ""}/${name}`;
  const hash = createHash("sha256").update(password).digest("hex");
  if (passwordsSet.get(key) === hash && present.includes(name)) return undefined;
  try {
    await admin.setPassword(name, password);
  } catch (error) {
    if (error instanceof BrokerRefusal) return error.message;
    throw error;
  }
  passwordsSet.set(key, hash);
  return undefined;
}

async function wantedPassword(
  context: Context,
  user: KafkaUser,
  own: Secret | undefined,
): Promise<string | { problem: string }> {
  const reference = user.spec?.authentication?.password?.valueFrom?.secretKeyRef;
  if (reference === undefined) return secretText(own, "password") ?? randomBytes(24).toString("base64url");
  const { name = "", key = "" } = reference;
  const given = await context.client.get<Secret>("Secret", namespaceOf(user), name);
  if (given === undefined) return { problem: `the Secret ${name} with the password does not exist` };
  const password = secretText(given, key);
  return password === undefined || password === "" ? { problem: `the Secret ${name} has no ${key}` } : password;
}

async function writeNotReady(context: Context, user: KafkaUser, message: string): Promise<void> {
  await writeStatus(context, user, {
    conditions: [{ type: "NotReady", status: "True", reason: "InvalidResourceException", message }],
    observedGeneration: user.metadata.generation,
    username: user.metadata.name,
  });
}
