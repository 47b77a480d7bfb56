/** An output to a table of PostgreSQL: rows and progress in one transaction, progress by compare-and-set. */
import { announce } from "../postgres/claims.ts";
import { type CallObserver, Connection, LOCK_LIMIT, type Statement } from "../postgres/connection.ts";
import { noValues } from "../postgres/core/no-rows.ts";
import { insertRows, type RowsTable, type TargetForm } from "../postgres/core/rows-table.ts";
import type { Owner } from "../postgres/core/table-decision.ts";
import { RowRefused, TransactionConflict } from "../postgres/errors.ts";
import { readPlaces } from "../postgres/places.ts";
import { compareAndMove, type MoveScope } from "../postgres/progress.ts";
import { prepareRowsTable } from "../postgres/rows-tables.ts";
import { migrate } from "../postgres/schema.ts";
import { pause } from "../runtime/retry.ts";
import type { Member } from "../kafka/group.ts";
import type { Position } from "../stage/ports.ts";
import { OutputRefused } from "./errors.ts";
import type { Output, OutputBatch, Source } from "./output.ts";

export interface TableOutputOptions {
  /** Folder of the database's secret. */
  readonly secret: string;
  readonly owner: Owner;
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
  #prepared = false;
  /** How rows are written to a table that people made. */
  #target: TargetForm | undefined;

  constructor(options: TableOutputOptions) {
    this.#options = options;
  }

  async positions(
    source: Source,
    _assignee: Member,
    starts: ReadonlyMap<number, number>,
  ): Promise<readonly Position[]> {
    const { owner, table } = this.#options;
    const connection = await this.#open();
    if (!this.#prepared) {
      await migrate(connection);
      this.#target = await prepareRowsTable(connection, owner, table);
      this.#prepared = true;
    }
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
      ...(batch.count === 0 ? [] : [insertRows(table, batch.columns, this.#target)]),
    ];
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

  #scope({ topic, topicId }: Source): MoveScope {
    return { owner: this.#options.owner, topic, topicId };
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
    } catch (error) {
      await connection.close();
      throw error;
    }
    this.#connection = connection;
    return connection;
  }
}
