import { belongsTo } from "../admin-secret.ts";
import type { Context } from "../context.ts";
import { namespaceOf, secretText } from "../core/objects.ts";
import type { Secret } from "../core/objects.ts";
import {
  authorityKeySecretName,
  authoritySecretName,
  forceReplace,
  generationOf,
  nextAuthority,
  oldNames,
  serverSecret,
  serverSecretName,
  wantsAuthority,
} from "./core/authority.ts";
import type { Kafka } from "./core/types.ts";

/** What a Kafka's clients trust, and which authority its broker's certificate is of. */
export interface Authority {
  readonly certificate: string;
  readonly generation: number;
}

/**
 * Brings authority and server certificate to be, or makes them anew where somebody asks for it; clients see the new
 * authority before the broker shows what it signed. Undefined while Secrets of a deleted namesake are there.
 */
export async function ensureAuthority(context: Context, kafka: Kafka): Promise<Authority | undefined> {
  const read = async (name: string) => context.client.get<Secret>("Secret", namespaceOf(kafka), name);
  let key = await read(authorityKeySecretName(kafka));
  let trusted = await read(authoritySecretName(kafka));
  const server = await read(serverSecretName(kafka));
  if (![key, trusted, server].every((secret) => secret === undefined || belongsTo(secret, kafka))) return undefined;
  const now = new Date();
  if (key === undefined || trusted === undefined || wantsAuthority(key, trusted)) {
    const next = nextAuthority(kafka, key, trusted, now);
    trusted = await write(context, trusted, next.trusted);
    key = await write(context, key, next.key);
  }
  if (generationOf(server) !== generationOf(key)) await write(context, server, serverSecret(kafka, key, trusted, now));
  return { certificate: secretText(trusted, "ca.crt") ?? "", generation: generationOf(key) };
}

/** The broker shows what the newest authority has signed: those before it are trusted no more. */
export async function forgetOldAuthorities(context: Context, kafka: Kafka): Promise<void> {
  const trusted = await context.client.get<Secret>("Secret", namespaceOf(kafka), authoritySecretName(kafka));
  const names = oldNames(trusted);
  if (trusted === undefined || names.length === 0) return;
  await context.client.merge(trusted, { data: Object.fromEntries(names.map((name) => [name, null])) });
}

async function write(context: Context, present: Secret | undefined, wanted: Secret): Promise<Secret> {
  if (present === undefined) {
    await context.client.create(wanted);
    return wanted;
  }
  const annotations = { ...wanted.metadata.annotations, [forceReplace]: null };
  return context.client.merge(present, { metadata: { annotations }, data: wanted.data });
}
