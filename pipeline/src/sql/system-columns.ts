/** Names that no column of a table of PostgreSQL may have. */
import { SYSTEM_COLUMNS } from "@caudal/crds";

/** @returns what to write instead; undefined for a name that a table may have */
export function systemColumnProblem(name: string): string | undefined {
  return SYSTEM_COLUMNS.some((system) => system === name)
    ? `PostgreSQL keeps the name ${name} for itself in every table: write \`as\` another name`
    : undefined;
}
