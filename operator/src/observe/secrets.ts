/** Secrets by name, each value as an HMAC: what a decision needs to notice a change, and nothing that could leak. */
import { createHmac } from "node:crypto";
import type { KubeClient } from "../kube/client.ts";
import { KubeError } from "../kube/errors.ts";
import { resources } from "../kube/object.ts";
import type { SecretObservation } from "./observation.ts";

export async function observeSecret(
  client: KubeClient,
  hmacKey: Buffer,
  namespace: string,
  name: string,
): Promise<SecretObservation> {
  try {
    const secret = await client.get(resources.secret, namespace, name);
    if (secret === undefined) return { name, exists: false, keys: {} };
    const data = (secret["data"] ?? {}) as Record<string, string>;
    const keys = Object.entries(data).map(([key, value]) => {
      const hmac = createHmac("sha256", hmacKey).update(`${namespace}/${name}/${key}\0${value}`).digest("hex");
      return [key, hmac] as const;
    });
    return { name, exists: true, type: secret["type"] as string | undefined, keys: Object.fromEntries(keys) };
  } catch (error) {
    // One secret that may not be read must not stop what does not need it.
    if (!(error instanceof KubeError) || error.reason === "ApiServerUnreachable") throw error;
    return { name, exists: false, keys: {}, error: error.message };
  }
}
