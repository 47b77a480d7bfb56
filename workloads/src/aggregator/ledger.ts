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
import { announceWhole, isServed, renewAsked } from "../postgres/definitions.ts";
import { checkPlaces, type Place } from "../postgres/look.ts";
import { type Prepared, prepareTables } from "../postgres/tables.ts";
import type { Delta } from "../kernel/delta.ts";
import type { TablePlan } from "@caudal/pipeline/sql";
import type { SealedBatch } from "./batch.ts";
import { type Refused, StandsBy } from "./refused.ts";

export interface LedgerOptions {
  readonly secret: string;
  readonly owner: Owner;
  /** metadata.generation of the pipeline, as the configuration has it now. */
  readonly generation: () => Promise<number>;
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
  readonly #prepared: readonly Prepared[];
  #generation: number;
  #commits: Connection | undefined;

  private constructor(options: LedgerOptions, control: Connection, prepared: readonly Prepared[], generation: number) {
    this.#options = options;
    this.control = control;
    this.#prepared = prepared;
    this.#generation = generation;
  }

  /**
   * Connects, brings the schema up, claims and makes the tables.
   *
   * @throws StandsBy when none of the tables may be written, or some may not and a worker that has all of its own is at
   * work: partitions that this one took would be read for a part of the tables only
   */
  static async open(options: LedgerOptions): Promise<Ledger> {
    const { owner, tables, log } = options;
    const generation = await options.generation();
    const control = await Connection.open({ ...session(options, "control"), statementTimeoutMs: CONTROL_TIMEOUT_MS });
    try {
      await migrate(control);
      const prepared = await prepareTables(control, owner, tables, generation);
      await checkAdmission(control, owner, prepared);
      await announce(control, owner);
      const changed = prepared.filter(({ action }) => action !== "keep");
      if (changed.length > 0)
        log.info({ tables: changed.map(({ table, action }) => `${table.name}: ${action}`) }, "tables prepared");
      return new Ledger(options, control, prepared, generation);
    } catch (error) {
      await control.close();
      throw error;
    }
  }

  /** Tables that may be written, in the plan's order. */
  get tables(): readonly TablePlan[] {
    return this.#prepared.filter(({ refusal }) => refusal === undefined).map(({ table }) => table);
  }

  /** Tables that may not be written, and why. */
  get refused(): readonly Refused[] {
    return refusedOf(this.#prepared);
  }

  /**
   * Looks whether what was committed is still there: a server that has lost commits, or another worker, is noticed without
   * a commit too. Says also that our definitions hold in a later generation of the pipeline.
   *
   * @param settled whether no commit is under way
   * @throws ProgressMoved
   */
  async look(scope: MoveScope, places: readonly Place[], settled: boolean): Promise<void> {
    await checkPlaces(this.control, scope, this.tables, places, settled);
    const generation = await this.#options.generation();
    if (generation === this.#generation) return;
    await renewAsked(this.control, this.#options.owner, this.tables, generation);
    this.#generation = generation;
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
    this.#commits?.check();
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
    const marks = await readMarks(this.control, this.#options.owner, this.tables);
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

async function checkAdmission(control: Connection, owner: Owner, prepared: readonly Prepared[]): Promise<void> {
  const refused = refusedOf(prepared);
  if (refused.length === 0) return await announceWhole(control, owner);
  const superseded = refused.some(({ error }) => error.reason === "DefinitionSuperseded");
  const served = await isServed(control, owner);
  if (served || superseded || refused.length === prepared.length) throw new StandsBy(refused, served);
}

function refusedOf(prepared: readonly Prepared[]): readonly Refused[] {
  return prepared.flatMap(({ table, refusal: error }) => (error === undefined ? [] : [{ table: table.name, error }]));
}

function session({ secret, owner, onCall }: LedgerOptions, use: string) {
  return { secret, onCall, applicationName: `caudal ${owner.pipeline} ${owner.stage} ${use}` };
}

/** Sessions join others: those that were sent as final stay as they are. */
function isRevised({ emit, gap }: TablePlan): boolean {
  return emit?.revisions === true && gap === undefined;
}
