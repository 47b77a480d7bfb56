import { createHash } from "node:crypto";

/** Hash of what an output's earlier results depend on: they are not of another one. */
export function planOf(...parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 16);
}
