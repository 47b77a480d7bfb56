/** Retention as a chore: raises floors with the watermark and deletes what lies below, in bounded turns. */
import type { Metrics } from "../runtime/metrics.ts";
import type { Connection } from "../postgres/connection.ts";
import type { Owner } from "../postgres/core/table-decision.ts";
import { oldRowsIndex } from "../postgres/core/final-rows.ts";
import { ensureIndex } from "../postgres/housekeeping.ts";
import { deleteBelow, raiseFloor } from "../postgres/retention.ts";
import type { TablePlan } from "@caudal/pipeline/sql";
import type { Chore } from "./housekeeping.ts";

/** Rows of one statement: a few milliseconds of locks. */
const CHUNK = 2_000;
const CHUNKS_A_TURN = 5;

export class Retention implements Chore {
  readonly name = "retention";
  readonly #owner: Owner;
  readonly #tables: readonly TablePlan[];
  readonly #metrics: Pick<Metrics, "retentionFloor" | "deletedRows">;
  readonly #indexed = new Set<string>();

  /** @param tables those with a retention */
  constructor(owner: Owner, tables: readonly TablePlan[], metrics: Pick<Metrics, "retentionFloor" | "deletedRows">) {
    this.#owner = owner;
    this.#tables = tables;
    this.#metrics = metrics;
  }

  async turn(connection: Connection): Promise<boolean> {
    let more = false;
    for (const table of this.#tables) more = (await this.#trim(connection, table)) || more;
    return more;
  }

  end(): void {
    // Another replica shows them from now on.
    for (const { name } of this.#tables) this.#metrics.retentionFloor.remove(name);
  }

  async #trim(connection: Connection, table: TablePlan): Promise<boolean> {
    const floor = await raiseFloor(connection, this.#owner, table);
    if (floor === null) return false;
    this.#metrics.retentionFloor.set({ table: table.name }, floor / 1000);
    if (!this.#indexed.has(table.name)) await ensureIndex(connection, table, oldRowsIndex(table));
    this.#indexed.add(table.name);
    for (let chunk = 0; chunk < CHUNKS_A_TURN; chunk++) {
      const deleted = await deleteBelow(connection, table, floor, CHUNK);
      this.#metrics.deletedRows.inc({ table: table.name }, deleted);
      if (deleted < CHUNK) return false;
    }
    return true;
  }
}
