/** The two sessions with PostgreSQL that a worker holds: one commits, one reads and keeps watermarks. */
import type { Logger } from "../runtime/log.ts";
import { pause } from "../runtime/retry.ts";
import { type CallObserver, Connection } from "../postgres/connection.ts";
import type { Owner } from "../postgres/core/table-decision.ts";
import { merge } from "../postgres/core/merge.ts";
import { oldestEnd } from "../postgres/core/window-ends.ts";
import { TransactionConflict } from "../postgres/errors.ts";
import type { CheckStatement } from "../postgres/marks.ts";
import type { MoveScope, MoveStatement } from "../postgres/progress.ts";
import { migrate } from "../postgres/schema.ts";
import { announce, prepareTables } from "../postgres/tables.ts";
import type { TablePlan } from "../sql/plan.ts";
import type { SealedBatch } from "./batch.ts";

export interface LedgerOptions {
  readonly secret: string;
  readonly owner: Owner;
  /** In the order in which a commit writes them. */
  readonly tables: readonly TablePlan[];
  readonly move: MoveStatement;
  readonly check: CheckStatement;
  readonly onCall: CallObserver;
  readonly onRetry: () => void;
  readonly log: Logger;
}

const CONFLICT_ATTEMPTS = 10;
const CONTROL_TIMEOUT_MS = 15_000;

export class Ledger {
  readonly #options: LedgerOptions;
  /** Reads progress, keeps watermarks and holds our presence; its calls come one after the other. */
  readonly control: Connection;
  #commits: Connection | undefined;

  private constructor(options: LedgerOptions, control: Connection) {
    this.#options = options;
    this.control = control;
  }

  /** Connects, brings the schema up, claims and makes the tables. */
  static async open(options: LedgerOptions): Promise<Ledger> {
    const { owner, tables, log } = options;
    const control = await Connection.open({ ...session(options, "control"), statementTimeoutMs: CONTROL_TIMEOUT_MS });
    try {
      await migrate(control);
      const prepared = await prepareTables(control, owner, tables);
      await announce(control, owner);
      const changed = prepared.filter(({ action }) => action !== "keep");
      if (changed.length > 0)
        log.info({ tables: changed.map(({ table, action }) => `${table.name}: ${action}`) }, "tables prepared");
      return new Ledger(options, control);
    } catch (error) {
      await control.close();
      throw error;
    }
  }

  /**
   * Progress and results in one transaction: progress first, then a look at what the tables no longer keep.
   *
   * @throws ProgressMoved when someone else moved it; WindowPassed when a window is no longer kept; RowRefused when a row cannot be stored; DatabaseUnavailable when
   * the outcome is not known: progress says it
   */
  async commit(scope: MoveScope, batch: SealedBatch): Promise<void> {
    const order = new Map(this.#options.tables.map(({ name }, index) => [name, index]));
    const deltas = batch.deltas
      .filter(({ rows }) => rows > 0)
      .sort((a, b) => (order.get(a.table.name) ?? 0) - (order.get(b.table.name) ?? 0));
    const oldest = deltas.map((delta) => ({ table: delta.table.name, end: oldestEnd(delta) }));
    const statements = [
      this.#options.move(scope, batch.moves),
      ...(oldest.length === 0 ? [] : [this.#options.check(oldest)]),
      ...deltas.flatMap(merge),
    ];
    for (let attempt = 1; ; attempt++) {
      try {
        await (await this.#connection()).transaction("commit", statements);
        return;
      } catch (error) {
        if (!(error instanceof TransactionConflict) || attempt >= CONFLICT_ATTEMPTS) throw error;
        this.#options.onRetry();
        this.#options.log.info({ attempt, error: error.message }, "the transaction met another one and is repeated");
        await pause(attempt * 10);
      }
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.control.close(), this.#commits?.close()]);
  }

  async #connection(): Promise<Connection> {
    if (this.#commits === undefined || this.#commits.lost)
      this.#commits = await Connection.open(session(this.#options, "commit"));
    return this.#commits;
  }
}

function session({ secret, owner, onCall }: LedgerOptions, use: string) {
  return { secret, onCall, applicationName: `caudal ${owner.pipeline} ${owner.stage} ${use}` };
}
