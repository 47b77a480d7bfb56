/** An output to a table of PostgreSQL: rows and progress in one transaction, progress by compare-and-set. */
import { announce } from "../postgres/claims.ts";
import { type CallObserver, Connection } from "../postgres/connection.ts";
import { insertRows, type RowsTable } from "../postgres/core/rows-table.ts";
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
  readonly onRetry: () => void;
}

const CONFLICT_ATTEMPTS = 10;

export class TableOutput implements Output {
  readonly wants = new Set(["columns"] as const);
  readonly #options: TableOutputOptions;
  #connection: Connection | undefined;
  #prepared = false;

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
      await prepareRowsTable(connection, owner, table);
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
    const moves = batch.moves.map((move) => ({ ...move, output: table.name, plan: table.hash, maxEventTime: null }));
    const statements = [
      compareAndMove(this.#scope(source), moves),
      ...(batch.count === 0 ? [] : [insertRows(table, batch.columns)]),
    ];
    for (let attempt = 1; ; attempt++) {
      try {
        return await (await this.#open()).transaction("commit", statements);
      } catch (error) {
        if (error instanceof RowRefused) throw new OutputRefused(error.message, error.reason, { cause: error });
        if (!(error instanceof TransactionConflict) || attempt >= CONFLICT_ATTEMPTS) throw error;
        onRetry();
        await pause(attempt * 10);
      }
    }
  }

  async close(): Promise<void> {
    await this.#connection?.close().catch(() => undefined);
  }

  #scope({ topic, topicId }: Source): MoveScope {
    return { owner: this.#options.owner, topic, topicId };
  }

  async #open(): Promise<Connection> {
    if (this.#connection !== undefined && !this.#connection.lost) return this.#connection;
    const { secret, owner, onCall, table } = this.#options;
    const applicationName = `caudal ${owner.pipeline} ${owner.stage} ${table.name}`;
    const connection = await Connection.open({ secret, onCall, applicationName });
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
