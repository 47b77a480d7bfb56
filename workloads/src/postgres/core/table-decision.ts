/** May this stage write to this table? All that was read comes in; what to do, or why not, comes out. */
import type { TableProblem } from "../errors.ts";
import { literal } from "./identifiers.ts";
import { meaningDifferences } from "./meaning-difference.ts";
import type { Column } from "./table-ddl.ts";

/** A stage of a pipeline; the uid tells two pipelines of one name apart that existed one after the other. */
export interface Owner {
  /** `<namespace>/<name>`. */
  readonly pipeline: string;
  readonly stage: string;
  readonly uid: string;
}

/** A table and the hash of its definition. */
export interface Definition {
  readonly name: string;
  readonly hash: string;
}

/** The newest definition that has been asked for: it outlives its table. */
export interface Asked extends Owner {
  readonly plan: string;
  /** metadata.generation of the pipeline that asked for it. */
  readonly generation: number;
  /** uids that a later pipeline of the name has replaced. */
  readonly retiredUids: readonly string[];
}

export interface Claim extends Owner {
  readonly plan: string;
  /** uids from which the claim has passed on; they never get it back. */
  readonly retiredUids: readonly string[];
  /** Whether the table was there before a pipeline wrote to it. */
  readonly adopted: boolean;
  /** The definition in JSON; null where an earlier release made the table. */
  readonly meaning?: string | null;
}

export interface TableObserved {
  readonly table: string;
  readonly plan: string;
  /** The definition that the plan is the hash of, in JSON. */
  readonly meaning?: string | undefined;
  readonly expected: readonly Column[];
  readonly claim: Claim | null;
  readonly asked: Asked | null;
  /** Hash of all that the owner asks for: of a table of events its columns too, which may change while it has rows. */
  readonly asks: string;
  /** metadata.generation under which the owner has its definition. */
  readonly generation: number;
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
  for (const check of [supersededRefusal, claimRefusal, refuseForeignTable, refuseOtherMeaning, refuseLostHalf]) {
    const refusal = check(observed, owner);
    if (refusal !== undefined) return { action: "refuse", ...refusal };
  }
  if (observed.claim === null) return { action: "create" };
  return { action: observed.claim.uid === owner.uid ? "keep" : "inherit" };
}

type Refusal = { readonly reason: TableProblem; readonly message: string } | undefined;

/**
 * Why the owner's definition is not one to make the table with: a newer generation has asked for another one, or a newer
 * pipeline has taken the name. A table that is there stays with the definition that it was made with until it is forgotten.
 */
export function supersededRefusal(
  {
    table,
    plan,
    claim,
    asked,
    asks,
    generation,
  }: Pick<TableObserved, "table" | "plan" | "claim" | "asked" | "asks" | "generation">,
  owner: Owner,
): Refusal {
  if (asked === null || asked.pipeline !== owner.pipeline) return undefined;
  if (asked.retiredUids.includes(owner.uid)) return replaced(table, asked, owner);
  if (asked.uid !== owner.uid || generation >= asked.generation) return undefined;
  if (asked.stage === owner.stage && asked.plan === asks) return undefined;
  if (claim !== null && claim.uid === owner.uid && claim.stage === owner.stage && claim.plan === plan) return undefined;
  return {
    reason: "DefinitionSuperseded",
    message: `table ${table} has another definition since generation ${asked.generation} of pipeline ${owner.pipeline}, and this pod has that of generation ${generation}: it makes and writes nothing under it, and a pod of the newer one takes its place; to go back to this definition, apply it again`,
  };
}

/** Whether what the owner asks for is to be remembered, so that nothing older comes after it. */
export function supersedes(
  { asked, claim, generation }: Pick<TableObserved, "asked" | "claim" | "generation">,
  owner: Owner,
  accepted: boolean,
): boolean {
  const last = asked ?? claim;
  if (last === null || (last.pipeline === owner.pipeline && last.uid === owner.uid))
    return asked === null || generation >= asked.generation;
  return accepted;
}

function replaced(table: string, newer: Owner, owner: Owner): Refusal {
  return {
    reason: "PipelineReplaced",
    message: `table ${table} has passed on to a newer pipeline ${newer.pipeline} (uid ${newer.uid}): this one (uid ${owner.uid}) was deleted, or another cluster has a pipeline of the same name; use another database or name`,
  };
}

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
  if (claim.retiredUids.includes(owner.uid)) return replaced(table, claim, owner);
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

function refuseOtherMeaning({ table, claim, plan, meaning, columns, expected }: TableObserved): Refusal {
  if (claim === null) return undefined;
  const differences = columns === null ? [] : columnDifferences(expected, columns);
  if (claim.plan !== plan) {
    const known = meaningDifferences(claim.meaning ?? null, meaning);
    const what = known.length > 0 ? known : differences;
    return {
      reason: "TableChanged",
      message: `table ${table} holds results of another definition (${what.length > 0 ? what.join("; ") : "its columns are the same, and its window, groupBy, where, aggregates or the types of their fields are not"}): put the definition back, give this table another name, or ${forget(table)}`,
    };
  }
  if (differences.length === 0) return undefined;
  return {
    reason: "TableChanged",
    message: `table ${table} was altered: ${differences.join("; ")}; put it back, or ${forget(table)}`,
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
function columnDifferences(expected: readonly Column[], actual: readonly Column[]): readonly string[] {
  const types = new Map(actual.map((column) => [column.name, column.type]));
  return expected.flatMap(({ name, type }) => {
    const found = types.get(name);
    if (found === undefined) return [`column ${name} (${type}) is missing`];
    return found === type ? [] : [`column ${name} is of type ${found} and should be ${type}`];
  });
}

export function forget(table: string): string {
  return `compute it anew from the log: select caudal.forget_table(${literal(table)}) drops it with its progress`;
}
