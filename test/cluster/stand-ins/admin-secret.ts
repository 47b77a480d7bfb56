import { randomBytes } from "node:crypto";
import type { Context } from "./context.ts";
import { managedBy, namespaceOf, ownedBy } from "./core/objects.ts";
import type { KubeObject, Secret } from "./core/objects.ts";

/**
 * The secret with the stand-in's own credentials for what an object describes, made when it is not there. Undefined
 * while one of a deleted namesake still waits for the garbage collector: what that one's pods know would be lost.
 */
export async function ensureAdminSecret(
  context: Context,
  owner: KubeObject,
  name: string,
  more: Record<string, string> = {},
): Promise<Secret | undefined> {
  const namespace = namespaceOf(owner);
  const present = await context.client.get<Secret>("Secret", namespace, name);
  if (present !== undefined) return belongsTo(present, owner) ? present : undefined;
  const values = { password: randomBytes(24).toString("base64url"), ...more };
  const data = Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString("base64")]),
  );
  const metadata = { name, namespace, labels: managedBy, ownerReferences: [ownedBy(owner)] };
  const secret: Secret = { apiVersion: "v1", kind: "Secret", metadata, type: "Opaque", data };
  await context.client.create(secret);
  return secret;
}

/** Whether an object was made for this very owner, not for a deleted one of its name. */
export function belongsTo(object: KubeObject | undefined, owner: KubeObject): boolean {
  const owners = object?.metadata.ownerReferences ?? [];
  return owners.length === 0 || owners.some(({ uid }) => uid === owner.metadata.uid);
}
