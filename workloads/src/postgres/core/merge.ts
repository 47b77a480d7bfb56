/** How a delta is merged into its table. Pure: SQL out. */
import type { Delta } from "../../kernel/delta.ts";
import { mergeSessions } from "./merge-sessions.ts";
import { upsert, type UpsertStatement } from "./upsert.ts";

/** The statements of one delta, in order, for one transaction. */
export function merge(delta: Delta): readonly UpsertStatement[] {
  return delta.sessions === undefined ? [upsert(delta)] : mergeSessions(delta, delta.sessions);
}
