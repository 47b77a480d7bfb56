/** Groups as numbers. Pure: SQL out. */
import type { TablePlan } from "@caudal/pipeline/sql";
import { identifier } from "./identifiers.ts";

/**
 * A group as one number, whatever its columns and also where they are NULL, which no equality finds in an index. Two
 * groups of one number share a lock, or a place in an order, and nothing else: rows are told apart by their columns.
 *
 * @param row alias whose columns are meant, such as "t"; in an index there is none
 */
export function groupHash({ groups }: Pick<TablePlan, "groups">, row?: string): string {
  if (groups.length === 0) return "0::bigint";
  const columns = groups.map(({ name }) => (row === undefined ? identifier(name) : `${row}.${identifier(name)}`));
  return `hash_record_extended(row(${columns.join(", ")}), 0)`;
}

/** Condition that two rows are of one group. */
export function sameGroup(table: Pick<TablePlan, "groups">, a: string, b: string): string {
  const same = table.groups.map(({ name }) => `${a}.${identifier(name)} is not distinct from ${b}.${identifier(name)}`);
  return [`${groupHash(table, a)} = ${groupHash(table, b)}`, ...same].join(" and ");
}
