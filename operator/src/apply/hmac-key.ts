import { randomBytes } from "node:crypto";
import type { KubeClient } from "../kube/client.ts";
import { Conflict, NotFound } from "../kube/errors.ts";
import { resources } from "../kube/object.ts";

/**
 * The key of the HMACs: random, made once, kept in a Secret beside the operator, so that nobody who sees a pod's
 * annotation can try passwords against it.
 */
export async function ensureHmacKey(client: KubeClient, namespace: string, name: string): Promise<Buffer> {
  for (let attempt = 1; ; attempt++) {
    const secret = await client.get(resources.secret, namespace, name);
    const key = (secret?.["data"] as Record<string, string> | undefined)?.["key"];
    if (key !== undefined) return Buffer.from(key, "base64");
    if (secret !== undefined || attempt === 3)
      throw new NotFound(`Secret ${namespace}/${name} has no key "key": delete it, and the operator makes a new one`);
    try {
      await client.create({
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name, namespace, labels: { "app.kubernetes.io/managed-by": "caudal" } },
        type: "Opaque",
        data: { key: randomBytes(32).toString("base64") },
      });
    } catch (error) {
      if (!(error instanceof Conflict)) throw error;
    }
  }
}
