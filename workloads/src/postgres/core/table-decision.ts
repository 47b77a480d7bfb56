/** May this stage write to this table? All that was read comes in; what to do, or why not, comes out. */
import type { TableProblem } from "../errors.ts";
import { literal } from "./identifiers.ts";
import type { Column } from "./table-ddl.ts";

/** A stage of a pipeline; the uid tells two pipelines of one name apart that existed one after the other. */
export interface Owner {
  /** `<namespace>/<name>`. */
  readonly pipeline: string;
  readonly stage: string;
  readonly uid: string;
}

export interface Claim extends Owner {
  readonly plan: string;
  /** uids from which the claim has passed on; they never get it back. */
  readonly retiredUids: readonly string[];
  /** Whether the table was there before a pipeline wrote to it. */
  readonly adopted: boolean;
}

export interface TableObserved {
  readonly table: string;
  readonly plan: string;
  readonly expected: readonly Column[];
  readonly claim: Claim | null;
  /** Whether workers of the claim's uid, when it is not ours, are still connected. */
  readonly claimantAlive: boolean;
  /** Columns of the stored table, null when there is none. */
  readonly columns: readonly Column[] | null;
  /** Whether the name is taken in schema public: by the table itself or, for panes, by its view. */
  readonly nameTaken: boolean;
  readonly hasRows: boolean;
  readonly hasProgress: boolean;
}

export type TableDecision =
  | { readonly action: "create" }
  | { readonly action: "keep" }
  /** The pipeline was created again: its claim and progress pass on to the new uid. */
  | { readonly action: "inherit" }
  | { readonly action: "refuse"; readonly reason: TableProblem; readonly message: string };

export function decideTable(observed: TableObserved, owner: Owner): TableDecision {
  for (const check of [claimRefusal, refuseForeignTable, refuseOtherMeaning, refuseLostHalf]) {
    const refusal = check(observed, owner);
    if (refusal !== undefined) return { action: "refuse", ...refusal };
  }
  if (observed.claim === null) return { action: "create" };
  return { action: observed.claim.uid === owner.uid ? "keep" : "inherit" };
}

type Refusal = { readonly reason: TableProblem; readonly message: string } | undefined;

/** Why the table is not the owner's to write. */
export function claimRefusal(
  { table, claim, claimantAlive }: Pick<TableObserved, "table" | "claim" | "claimantAlive">,
  owner: Owner,
): Refusal {
  if (claim === null) return undefined;
  if (claim.pipeline !== owner.pipeline || claim.stage !== owner.stage)
    return {
      reason: "TableClaimed",
      message: `table ${table} is written by stage ${claim.stage} of pipeline ${claim.pipeline}: give this table another name, or, when that stage no longer has it, ${forget(table)}`,
    };
  if (claim.retiredUids.includes(owner.uid))
    return {
      reason: "PipelineReplaced",
      message: `table ${table} has passed on to a newer pipeline ${claim.pipeline} (uid ${claim.uid}): this one (uid ${owner.uid}) was deleted, or another cluster has a pipeline of the same name; use another database or name`,
    };
  if (claim.uid !== owner.uid && claimantAlive)
    return {
      reason: "TableClaimed",
      message: `table ${table} is still written by an earlier pipeline ${claim.pipeline} (uid ${claim.uid}): it passes on when the pods of that one have ended`,
    };
  return undefined;
}

function refuseForeignTable({ table, claim, nameTaken, columns }: TableObserved): Refusal {
  if (claim !== null || (!nameTaken && columns === null)) return undefined;
  return {
    reason: "TableExists",
    message: `a table or view ${table} exists and no pipeline made it: give this table another name, or drop it`,
  };
}

function refuseOtherMeaning({ table, claim, plan, columns, expected }: TableObserved): Refusal {
  if (claim === null) return undefined;
  if (claim.plan !== plan)
    return {
      reason: "TableChanged",
      message: `table ${table} holds results of another definition (window, groupBy, where, aggregates or types have changed): put the definition back, give this table another name, or ${forget(table)}`,
    };
  const difference = columns === null ? undefined : columnDifference(expected, columns);
  if (difference === undefined) return undefined;
  return {
    reason: "TableChanged",
    message: `table ${table} was altered: ${difference}; put it back, or ${forget(table)}`,
  };
}

function refuseLostHalf({ table, claim, columns, nameTaken, hasRows, hasProgress }: TableObserved): Refusal {
  if (claim === null) return undefined;
  if (columns === null || !nameTaken)
    return {
      reason: "TableMissing",
      message: `table ${table} was dropped and its progress was not: restore it, or ${forget(table)}`,
    };
  if (hasRows && !hasProgress)
    return {
      reason: "TableWithoutProgress",
      message: `table ${table} has rows and no progress says how far they go: restore caudal.progress, or ${forget(table)}`,
    };
  return undefined;
}

/** Columns that people added are theirs, as long as rows can be inserted without them. */
function columnDifference(expected: readonly Column[], actual: readonly Column[]): string | undefined {
  const types = new Map(actual.map((column) => [column.name, column.type]));
  for (const { name, type } of expected) {
    const found = types.get(name);
    if (found === undefined) return `column ${name} is missing`;
    if (found !== type) return `column ${name} is of type ${found} and should be ${type}`;
  }
  return undefined;
}

export function forget(table: string): string {
  return `compute it anew from the log: select caudal.forget_table(${literal(table)}) drops it with its progress`;
}
