/** The Secret for a shared database: made once with a random password, never overwritten. */
import { randomBytes } from "node:crypto";
import { Conflict } from "../kube/errors.ts";
import type { KubeObject } from "../kube/object.ts";
import { buildDatabaseSecret } from "../plan/database-secret.ts";
import type { WriteContext } from "./apply.ts";

const PASSWORD_BYTES = 24;

export async function ensureDatabaseSecret(context: WriteContext, role: KubeObject): Promise<void> {
  const { client, pipeline, writes } = context;
  const secret = buildDatabaseSecret(pipeline, role, randomBytes(PASSWORD_BYTES).toString("base64url"));
  try {
    writes.record(pipeline, await client.create(secret), "Created");
  } catch (error) {
    // It came into being since it was looked for: it is used as it is.
    if (!(error instanceof Conflict)) throw error;
  }
}
