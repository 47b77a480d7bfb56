/** What of the secrets that pods mount is not there yet. */
import type { SecretObservation } from "../observe/observation.ts";
import type { SecretUse } from "@caudal/pipeline";

/** The first secret or key that is not there. */
export function missingSecrets(
  uses: readonly SecretUse[],
  secrets: ReadonlyMap<string, SecretObservation>,
): { reason: string; message: string } | undefined {
  for (const { name, keys } of uses) {
    const secret = secrets.get(name);
    if (secret?.error !== undefined)
      return { reason: "SecretNotReadable", message: `Secret/${name} cannot be read: ${secret.error}` };
    if (secret?.exists !== true)
      return { reason: "SecretNotFound", message: `Secret/${name} does not exist yet: waiting for it` };
    const absent = keys.filter((key) => !(key in secret.keys));
    if (absent.length > 0)
      return { reason: "SecretKeyMissing", message: `Secret/${name} lacks ${absent.join(", ")}: add what is missing` };
  }
  return undefined;
}
