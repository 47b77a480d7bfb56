/** The two sessions with PostgreSQL that a worker holds: one commits, one reads and keeps watermarks. */
import type { Logger } from "../runtime/log.ts";
import { pause } from "../runtime/retry.ts";
import { type CallObserver, Connection, LOCK_LIMIT, type Statement } from "../postgres/connection.ts";
import type { Owner } from "../postgres/core/table-decision.ts";
import { merge } from "../postgres/core/merge.ts";
import { noDelta } from "../postgres/core/no-rows.ts";
import { revise } from "../postgres/core/revise.ts";
import { oldestEnds } from "../postgres/core/window-ends.ts";
import { FinalMoved, TransactionConflict } from "../postgres/errors.ts";
import { type CheckStatement, type OldestWindows, readMarks } from "../postgres/marks.ts";
import { moveJudgements, type MoveScope, type MoveStatement } from "../postgres/progress.ts";
import { migrate } from "../postgres/schema.ts";
import { announce } from "../postgres/claims.ts";
import { prepareTables } from "../postgres/tables.ts";
import type { Delta } from "../kernel/delta.ts";
import type { TablePlan } from "../sql/plan.ts";
import type { SealedBatch } from "./batch.ts";

export interface LedgerOptions {
  readonly secret: string;
  readonly owner: Owner;
  /** In the order in which a commit writes them. */
  readonly tables: readonly TablePlan[];
  readonly move: MoveStatement;
  readonly check: CheckStatement;
  /** Tables whose final windows may not change; see {@link closingTables}. */
  readonly closing: ReadonlyMap<string, number>;
  readonly onCall: CallObserver;
  readonly onRetry: () => void;
  readonly log: Logger;
}

const CONFLICT_ATTEMPTS = 10;
/** A lock that somebody keeps for longer is told. */
const CONFLICT_MS = 5_000;
const CONTROL_TIMEOUT_MS = 15_000;

export class Ledger {
  readonly #options: LedgerOptions;
  /** Reads progress, keeps watermarks and holds our presence; its calls come one after the other. */
  readonly control: Connection;
  /** By table, up to where windows were final when it was last read: older ones are revised. */
  readonly #finals = new Map<string, number>();
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
   * @throws ProgressMoved when someone else moved it; WindowPassed when a window is over; RowRefused when a row cannot be stored; DatabaseUnavailable when
   * the outcome is not known: progress says it
   */
  async commit(scope: MoveScope, batch: SealedBatch): Promise<void> {
    const order = new Map(this.#options.tables.map(({ name }, index) => [name, index]));
    const deltas = batch.deltas
      .filter(({ rows }) => rows > 0)
      .sort((a, b) => (order.get(a.table.name) ?? 0) - (order.get(b.table.name) ?? 0));
    const began = performance.now();
    for (let attempt = 1; ; attempt++) {
      try {
        await (await this.#connection()).transaction("commit", this.#statements(scope, batch, deltas));
        return;
      } catch (error) {
        if (attempt >= CONFLICT_ATTEMPTS || performance.now() - began > CONFLICT_MS) throw error;
        if (error instanceof FinalMoved) await this.#readFinals();
        else if (!(error instanceof TransactionConflict)) throw error;
        this.#options.onRetry();
        this.#options.log.info({ attempt, error: error.message }, "the transaction met another one and is repeated");
        await pause(attempt * 10);
      }
    }
  }

  /**
   * Does what a commit of these tables does but for their rows, and undoes it: the answer to a record that was refused alone.
   *
   * @param batch with moves, and without deltas
   * @throws what stands in the way of every record
   */
  async rehearse(scope: MoveScope, batch: SealedBatch, tables: readonly TablePlan[]): Promise<void> {
    const statements = [...this.#statements(scope, batch, []), ...tables.map(noDelta).flatMap(merge)];
    await (await this.#connection()).rehearse("rehearse", statements);
  }

  #statements(scope: MoveScope, batch: SealedBatch, deltas: readonly Delta[]): readonly Statement[] {
    const { owner, move, check } = this.#options;
    const oldest = deltas.map((delta) => this.#oldest(delta));
    return [
      move(scope, batch.moves),
      ...(batch.judgements.length === 0 ? [] : [moveJudgements(scope, batch.judgements)]),
      ...(oldest.length === 0 ? [] : [check(oldest)]),
      ...deltas.flatMap(merge),
      // After all merges: the lock of the outbox is held shortest.
      ...deltas
        .filter(({ table }) => isRevised(table))
        .flatMap((delta) => revise(owner, delta, this.#finals.get(delta.table.name) ?? null)),
    ];
  }

  #oldest(delta: Delta): OldestWindows {
    const { table } = delta;
    const revises = isRevised(table);
    const { end, openEnd } = oldestEnds(delta, revises ? (this.#finals.get(table.name) ?? null) : null);
    const closes = this.#options.closing.has(table.name);
    return { table: table.name, end, openEnd: revises || closes ? openEnd : null, revises };
  }

  async #readFinals(): Promise<void> {
    const names = this.#options.tables.map(({ name }) => name);
    const marks = await readMarks(this.control, names);
    for (const [table, { final }] of marks) if (final !== null) this.#finals.set(table, final);
  }

  async close(): Promise<void> {
    await Promise.all([this.control.close(), this.#commits?.close()]);
  }

  async #connection(): Promise<Connection> {
    if (this.#commits === undefined || this.#commits.lost)
      this.#commits = await Connection.open({ ...session(this.#options, "commit"), settings: LOCK_LIMIT });
    return this.#commits;
  }
}

function session({ secret, owner, onCall }: LedgerOptions, use: string) {
  return { secret, onCall, applicationName: `caudal ${owner.pipeline} ${owner.stage} ${use}` };
}

/** Sessions join others: those that were sent as final stay as they are. */
function isRevised({ emit, gap }: TablePlan): boolean {
  return emit?.revisions === true && gap === undefined;
}
