/** The chores of a stage, from its plan. */
import { Connection } from "../postgres/connection.ts";
import type { Owner } from "../postgres/core/table-decision.ts";
import { describeError, reasonOf } from "../runtime/errors.ts";
import type { RuntimeContext } from "../runtime/role.ts";
import type { AggregatorPlan } from "../sql/plan.ts";
import { type Chore, Housekeeping } from "./housekeeping.ts";
import type { LedgerOptions } from "./ledger.ts";
import { Retention } from "./retention.ts";

/** What the chores have to do with: the ledger's way to PostgreSQL. */
export type HouseOptions = Pick<LedgerOptions, "secret" | "owner" | "onCall">;

/** Keeps house until the signal, where the plan asks for anything of the kind. It never rejects. */
export async function keepHouse(
  context: RuntimeContext,
  plan: AggregatorPlan,
  options: HouseOptions,
  signal: AbortSignal,
): Promise<void> {
  const chores = choresOf(context, plan, options.owner);
  if (chores.length === 0) return;
  const { health, log, metrics } = context;
  const { secret, owner, onCall } = options;
  const applicationName = `caudal ${owner.pipeline} ${owner.stage} housekeeping`;
  let last = "";
  await new Housekeeping({
    owner,
    chores,
    open: async () => await Connection.open({ secret, onCall, applicationName }),
    onLead: () => log.info({ chores: chores.map(({ name }) => name) }, "keeps house for the stage"),
    onProblem: (error, chore = "housekeeping") => {
      const [reason, message] = [reasonOf(error), describeError(error)];
      metrics.retries.inc({ target: "postgres" });
      health.setError(reason, message, chore);
      // The same again and again is one line in the log.
      if (message !== last) log.warn({ chore, reason, error: message }, "a chore failed and is tried again");
      last = message;
    },
    onWorked: (chore) => {
      health.clearError("housekeeping");
      health.clearError(chore);
    },
  }).run(signal);
}

function choresOf({ metrics }: RuntimeContext, { tables }: AggregatorPlan, owner: Owner): readonly Chore[] {
  const kept = tables.filter(({ retention }) => retention !== undefined);
  return kept.length === 0 ? [] : [new Retention(owner, kept, metrics)];
}
