/** Finality as a chore: what the watermark has passed goes into the outbox, a part in each turn. */
import type { Connection } from "../postgres/connection.ts";
import type { Owner } from "../postgres/core/table-decision.ts";
import { emitFinalRows } from "../postgres/finality.ts";
import { finalRowsIndex } from "../postgres/core/final-rows.ts";
import { ensureIndex, isOwned } from "../postgres/housekeeping.ts";
import { outboxHolds } from "../postgres/outbox.ts";
import type { Metrics } from "../runtime/metrics.ts";
import type { TablePlan } from "@caudal/pipeline/sql";
import type { Chore } from "./housekeeping.ts";

/** Rows of one transaction: it holds up the table's commits for some tens of milliseconds. */
const CHUNK = 2_000;
/** With so many rows in the outbox the topics cannot follow: more wait in their tables. */
const OUTBOX_ROWS = 20_000;

export class Finality implements Chore {
  readonly name = "finality";
  readonly #owner: Owner;
  readonly #tables: readonly TablePlan[];
  readonly #metrics: Pick<Metrics, "finalRows">;
  readonly #indexed = new Set<string>();

  /** @param tables those with an emission */
  constructor(owner: Owner, tables: readonly TablePlan[], metrics: Pick<Metrics, "finalRows">) {
    this.#owner = owner;
    this.#tables = tables;
    this.#metrics = metrics;
  }

  async turn(connection: Connection): Promise<boolean> {
    if (await outboxHolds(connection, this.#owner, OUTBOX_ROWS)) return false;
    let again = false;
    for (const table of this.#tables) {
      // Of a table that was forgotten, or that has another definition, nothing is made.
      if (!(await isOwned(connection, this.#owner, table))) continue;
      if (!this.#indexed.has(table.name)) await ensureIndex(connection, table, finalRowsIndex(table));
      this.#indexed.add(table.name);
      const { rows, more } = await emitFinalRows(connection, this.#owner, table, CHUNK);
      this.#metrics.finalRows.inc({ table: table.name }, rows);
      again ||= more;
    }
    return again;
  }

  end(): void {
    this.#indexed.clear();
  }
}
