/**
 * Groups of a table of sessions. Whoever changes sessions of a group first locks the group's row in a side table: two
 * workers that would both begin, extend or join sessions of it come one after the other, and the second one sees what
 * the first one made. Pure: SQL out.
 */
import type { TablePlan } from "@caudal/pipeline/sql";
import { groupHash } from "./group-hash.ts";
import { beside, qualified, storage } from "./identifiers.ts";

/** Where a group's row is. */
export function groupLocks({ name }: Pick<TablePlan, "name">): string {
  return qualified(beside(name, "groups"));
}

/** Statements that make what a table of sessions has beside it. */
export function createGroupLocks(table: TablePlan): readonly string[] {
  const locks = `create table ${groupLocks(table)} (hash bigint primary key)`;
  // Without groups the unique index of all tables does.
  if (table.groups.length === 0) return [locks];
  return [locks, `create index on ${qualified(storage(table))} ((${groupHash(table)}), "window_start")`];
}
