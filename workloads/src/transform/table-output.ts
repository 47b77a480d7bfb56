/** An output to a table of PostgreSQL: rows and progress in one transaction, progress by compare-and-set. */
import { announce, readIncarnations } from "../postgres/claims.ts";
import { type CallObserver, Connection, LOCK_LIMIT, type Statement } from "../postgres/connection.ts";
import { noValues } from "../postgres/core/no-rows.ts";
import { insertRows, type RowsTable, type TargetForm } from "../postgres/core/rows-table.ts";
import type { Owner } from "../postgres/core/table-decision.ts";
import { announceWhole, isServed, renewAsked } from "../postgres/definitions.ts";
import { RowRefused, TableRefused, TransactionConflict } from "../postgres/errors.ts";
import { readPlaces, readWaiting } from "../postgres/places.ts";
import { compareAndMove, type MoveScope, readProgress } from "../postgres/progress.ts";
import { prepareRowsTable } from "../postgres/rows-tables.ts";
import { migrate } from "../postgres/schema.ts";
import { pause } from "../runtime/retry.ts";
import type { Member } from "../kafka/group.ts";
import type { Position } from "../stage/ports.ts";
import { madeOf, OutputRefused, OutputStandsBy } from "./errors.ts";
import type { Output, OutputBatch, Source } from "./output.ts";

export interface TableOutputOptions {
  /** Folder of the database's secret. */
  readonly secret: string;
  readonly owner: Owner;
  /** metadata.generation of the pipeline, as the configuration has it now. */
  readonly generation: () => Promise<number>;
  readonly table: RowsTable;
  readonly onCall: CallObserver;
  /** Of the session, in place of or besides those that it has. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly onRetry: () => void;
}

const CONFLICT_ATTEMPTS = 10;
/** A lock that somebody keeps for longer is told. */
const CONFLICT_MS = 5_000;

export class TableOutput implements Output {
  readonly wants = new Set(["columns"] as const);
  readonly #options: TableOutputOptions;
  #connection: Connection | undefined;
  #generation: number | undefined;
  #incarnation = "";
  /** How rows are written to a table that people made. */
  #target: TargetForm | undefined;

  constructor(options: TableOutputOptions) {
    this.#options = options;
  }

  get incarnation(): string {
    return this.#incarnation;
  }

  async accept(source: Source, starts: ReadonlyMap<number, number>): Promise<void> {
    const { owner, table, generation } = this.#options;
    const connection = await this.#open();
    await migrate(connection);
    const now = await generation();
    try {
      this.#target = await prepareRowsTable(connection, owner, table, now);
    } catch (error) {
      if (!(error instanceof TableRefused)) throw error;
      const served = await isServed(connection, this.#whole);
      const scope = { owner, topic: source.topic };
      throw new OutputStandsBy(error, served ? undefined : await readWaiting(connection, scope, [table.name], starts));
    }
    await announceWhole(connection, this.#whole);
    this.#incarnation = (await readIncarnations(connection, [table.name])).get(table.name) ?? "";
    this.#generation = now;
  }

  async stored(source: Source, partitions: readonly number[]): Promise<ReadonlyMap<number, number>> {
    this.#connection?.check();
    const { owner, table, generation } = this.#options;
    const now = await generation();
    if (this.#generation !== undefined && now !== this.#generation) {
      const asks = { name: table.name, hash: table.asks };
      await renewAsked(await this.#open(), owner, [asks], now);
      this.#generation = now;
    }
    return await this.#progress(source, partitions);
  }

  async positions(
    source: Source,
    _assignee: Member,
    starts: ReadonlyMap<number, number>,
  ): Promise<readonly Position[]> {
    const { table } = this.#options;
    const connection = await this.#open();
    if (starts.size === 0) return [];
    const places = await readPlaces(connection, this.#scope(source), [table], starts);
    return places.map(({ partition, nextOffset, leaderEpoch }) => ({
      partition,
      offset: nextOffset,
      epoch: leaderEpoch,
    }));
  }

  async commit(source: Source, batch: OutputBatch): Promise<void> {
    const { table, onRetry } = this.#options;
    const statements = [
      this.#move(source, batch),
      ...(batch.count === 0 ? [] : [madeOf(batch, "a row", ({ columns }) => insertRows(table, columns, this.#target))]),
    ];
    this.#connection?.check();
    const began = performance.now();
    for (let attempt = 1; ; attempt++) {
      try {
        return await (await this.#open()).transaction("commit", statements);
      } catch (error) {
        if (error instanceof RowRefused) throw new OutputRefused(error.message, error.reason, { cause: error });
        if (!(error instanceof TransactionConflict) || attempt >= CONFLICT_ATTEMPTS) throw error;
        if (performance.now() - began > CONFLICT_MS) throw error;
        onRetry();
        await pause(attempt * 10);
      }
    }
  }

  async rehearse(source: Source, batch: OutputBatch): Promise<void> {
    const { table } = this.#options;
    const statements = [this.#move(source, batch), insertRows(table, noValues(table.columns), this.#target)];
    await (await this.#open()).rehearse("rehearse", statements);
  }

  async close(): Promise<void> {
    await this.#connection?.close().catch(() => undefined);
  }

  #move(source: Source, { moves }: OutputBatch): Statement {
    const { name: output, hash: plan } = this.#options.table;
    return compareAndMove(
      this.#scope(source),
      moves.map((move) => ({ ...move, output, plan, maxEventTime: null })),
    );
  }

  /** Progress of this definition. */
  async #progress(source: Source, partitions: readonly number[]): Promise<ReadonlyMap<number, number>> {
    const { owner, table } = this.#options;
    const rows = await readProgress(await this.#open(), owner, source.topic, [table.name], partitions);
    const own = rows.filter(
      (row) => row.plan === table.hash && row.uid === owner.uid && row.topicId === source.topicId,
    );
    return new Map(own.map(({ partition, nextOffset }) => [partition, nextOffset]));
  }

  /** Workers that may write the table say so by this name. */
  get #whole(): Owner {
    const { owner, table } = this.#options;
    return { ...owner, stage: `${owner.stage} ${table.name}` };
  }

  #scope({ topic, topicId, lost }: Source): MoveScope {
    return { owner: this.#options.owner, topic, topicId, lost };
  }

  async #open(): Promise<Connection> {
    if (this.#connection !== undefined && !this.#connection.lost) return this.#connection;
    const { secret, owner, onCall, table, settings } = this.#options;
    const applicationName = `caudal ${owner.pipeline} ${owner.stage} ${table.name}`;
    const connection = await Connection.open({
      secret,
      onCall,
      applicationName,
      settings: { ...LOCK_LIMIT, ...settings },
    });
    try {
      await announce(connection, owner);
      if (this.#generation !== undefined) await announceWhole(connection, this.#whole);
    } catch (error) {
      await connection.close();
      throw error;
    }
    this.#connection = connection;
    return connection;
  }
}
