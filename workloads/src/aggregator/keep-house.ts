/** The chores of a stage, from its plan. */
import { consumerGroup } from "@caudal/crds";
import type { KafkaCluster } from "../kafka/cluster.ts";
import { Forgotten } from "../outbox/forgotten.ts";
import { Relay } from "../outbox/relay.ts";
import { Connection } from "../postgres/connection.ts";
import { describeError, reasonOf } from "../runtime/errors.ts";
import { FailureLog } from "../runtime/failure-log.ts";
import type { RuntimeContext } from "../runtime/role.ts";
import type { AggregatorPlan, TablePlan } from "@caudal/pipeline/sql";
import { Finality } from "./finality.ts";
import { type Chore, Housekeeping } from "./housekeeping.ts";
import type { LedgerOptions } from "./ledger.ts";
import { Retention } from "./retention.ts";

/** What the chores have to do with: the ledger's way to PostgreSQL, and Kafka. */
export interface HouseOptions extends Pick<LedgerOptions, "secret" | "owner" | "onCall"> {
  readonly cluster: KafkaCluster;
  /** The topic that the stage reads. */
  readonly sourceTopic: string;
}

/** Keeps house for the tables that may be written, for as long as they are the same ones. */
export class House {
  readonly #keep: (tables: readonly TablePlan[], signal: AbortSignal) => Promise<void>;
  #tables: readonly TablePlan[] = [];
  #kept: { readonly ended: AbortController; readonly done: Promise<void> } | undefined;

  /** @param keep works until the signal, and never rejects */
  constructor(keep: (tables: readonly TablePlan[], signal: AbortSignal) => Promise<void>) {
    this.#keep = keep;
  }

  async serve(tables: readonly TablePlan[]): Promise<void> {
    if (this.#kept !== undefined && same(this.#tables, tables)) return;
    await this.stop();
    const ended = new AbortController();
    this.#tables = tables;
    this.#kept = { ended, done: this.#keep(tables, ended.signal) };
  }

  /** Lets another replica keep house. */
  async stop(): Promise<void> {
    const kept = this.#kept;
    this.#kept = undefined;
    kept?.ended.abort();
    await kept?.done;
  }
}

function same(a: readonly TablePlan[], b: readonly TablePlan[]): boolean {
  return a.length === b.length && a.every(({ name }, index) => name === b[index]?.name);
}

/** Keeps house until the signal, where the plan asks for anything of the kind. It never rejects. */
export async function keepHouse(
  context: RuntimeContext,
  plan: Pick<AggregatorPlan, "tables">,
  options: HouseOptions,
  signal: AbortSignal,
): Promise<void> {
  const chores = choresOf(context, plan, options, signal);
  if (chores.length === 0) return;
  const { health, log, metrics } = context;
  const { secret, owner, onCall } = options;
  const applicationName = `caudal ${owner.pipeline} ${owner.stage} housekeeping`;
  const failures = new Map<string, FailureLog>();
  const failuresOf = (chore: string): FailureLog => {
    const known = failures.get(chore) ?? new FailureLog(log);
    failures.set(chore, known);
    return known;
  };
  await new Housekeeping({
    owner,
    chores,
    open: async () => await Connection.open({ secret, onCall, applicationName }),
    onLead: () => log.info({ chores: chores.map(({ name }) => name) }, "keeps house for the stage"),
    onProblem: (error, chore = "housekeeping") => {
      const [reason, message] = [reasonOf(error), describeError(error)];
      metrics.retries.inc({ target: "postgres" });
      const choreFailures = failuresOf(chore);
      choreFailures.note(error, { chore });
      if (choreFailures.isToShow(error)) health.setError(reason, message, chore);
    },
    onWorked: (chore) => {
      failuresOf("housekeeping").clear();
      failuresOf(chore).clear();
      health.clearError("housekeeping");
      health.clearError(chore);
    },
  }).run(signal);
}

function choresOf(
  { config, log, metrics }: RuntimeContext,
  { tables }: Pick<AggregatorPlan, "tables">,
  { owner, cluster, sourceTopic }: HouseOptions,
  signal: AbortSignal,
): readonly Chore[] {
  const kept = tables.filter(({ retention }) => retention !== undefined);
  const sent = tables.flatMap((table) => (table.emit === undefined ? [] : [{ table, topic: table.emit.topic }]));
  const id = `${consumerGroup(config)}.outbox`;
  const topics = new Map(sent.map(({ table, topic }) => [table.name, topic]));
  const relay = new Relay({ cluster, owner, metrics, signal, id, sourceTopic, topics });
  const writers = { own: (other: string) => other === id, topics: [...new Set(topics.values())], group: id };
  const forgotten = new Forgotten({ cluster, writers, log, signal });
  const finality = new Finality(
    owner,
    sent.map(({ table }) => table),
    metrics,
  );
  return [
    ...(sent.length === 0 ? [] : [finality, relay, forgotten]),
    ...(kept.length === 0 ? [] : [new Retention(owner, kept, metrics)]),
  ];
}
