/**
 * Timestamp mode. The table is looked at in rounds. A round sends the row versions that have been committed since the
 * round before, and no other:
 *
 *   new is what a transaction has written that is not below `seen` and is below `to`,
 *
 * where `to` is the oldest transaction that is still open when the round begins. So a transaction that commits late is
 * never passed over: as long as it is open, nobody goes beyond it. The first round begins with `seen` 0, and is the
 * initial load. Rounds read pages in the order of (timestamp, key), and each page's place goes into the transaction of
 * Kafka that sends it. That new rows have new timestamps bounds what a round has to look at (see horizon.ts).
 */
import { SpanKind } from "@opentelemetry/api";
import { pause } from "../../runtime/retry.ts";
import { withSpan } from "../../runtime/telemetry.ts";
import { hasIndexOn } from "../catalog.ts";
import { pageQuery, writtenBetween } from "../core/page-sql.ts";
import type { TimestampPlace, TimestampRound } from "../core/place.ts";
import { type Column, cursorsOf, keyColumnsOf, nextCursor, rowOf, type Texts } from "../core/table.ts";
import { SourceMismatch } from "../errors.ts";
import { FollowedSource } from "../followed.ts";
import type { Session } from "../session.ts";
import type { Entry } from "../sink.ts";
import { lookAtTransactions, readHorizon, whoHolds } from "./horizon.ts";
import { OpenTransactions } from "./open-transactions.ts";

const PAGE_ROWS = 2_000;
/** Kafka forgets the place of a group that has been silent for days. */
const KEEP_MS = 10 * 60_000;
/** A transaction that is open for so long is told of. */
const HELD_MS = 60_000;

interface Round extends Omit<TimestampRound, "cursor"> {
  readonly cursor: readonly string[] | null;
}

/** Sends what is new until draining. */
export async function pollTable(session: Session): Promise<void> {
  const poller = new Poller(session, await FollowedSource.open(session));
  await poller.prepare();
  const { drain, health } = session.context;
  while (!drain.requested) {
    health.beat();
    session.leaving.throwIfAborted();
    if (!(await poller.turn())) await pause(session.config.postgres.pollIntervalMs, drain.signal);
  }
}

class Poller {
  readonly #session: Session;
  readonly #followed: FollowedSource;
  readonly #column: Column;
  readonly #order: readonly string[];
  readonly #open: OpenTransactions;
  #at: TimestampPlace;
  #round: Round | undefined;
  #keptAt = performance.now();
  #held = { below: "", since: 0 };

  constructor(session: Session, followed: FollowedSource) {
    const { layout, place, server } = session;
    const column = layout.timestamp?.column;
    if (column === undefined) throw new SourceMismatch("mode: timestamp needs timestampColumn");
    this.#session = session;
    this.#followed = followed;
    this.#column = column;
    this.#order = [...new Set([column.name, ...keyColumnsOf(layout)])];
    this.#at = place?.at.mode === "timestamp" ? place.at : begin(server.timeline);
    this.#open = new OpenTransactions(this.#at.floor);
    if (this.#at.round !== null) this.#round = this.#at.round;
  }

  async prepare(): Promise<void> {
    const { connection, context, table, config } = this.#session;
    if (await hasIndexOn(connection, table, this.#column.name)) return;
    const title = config.postgres.table;
    context.log.warn(
      { table: title },
      `no index of ${title} begins with ${this.#column.name}: each look reads the whole table`,
    );
  }

  /** @returns whether there may be more at once */
  async turn(): Promise<boolean> {
    await this.#followed.look();
    const round = this.#round ?? (await this.#begin());
    if (round === undefined) {
      await this.#keep(false);
      return false;
    }
    this.#round = round;
    const rows = await this.#page(round);
    const last = rows.length < PAGE_ROWS;
    if (rows.length > 0) await this.#send(round, rows, last);
    this.#round = last ? undefined : { ...round, cursor: nextCursor(this.#cursors(rows, round), round.cursor) };
    if (!last) return true;
    const first = this.#at.seen === "0";
    this.#at = this.#after(round);
    if (rows.length > 0) this.#keptAt = performance.now();
    await this.#keep(first && rows.length === 0);
    return false;
  }

  /** @returns undefined when nothing can be new */
  async #begin(): Promise<Round | undefined> {
    const { connection, config, server, table } = this.#session;
    const { at, open } = await lookAtTransactions(connection);
    const floor = this.#open.look(at, open);
    const lookbackMs = config.postgres.lookbackMs;
    const horizon = await readHorizon(connection, table, this.#column, { floor, at, lookbackMs });
    await this.#showHeld(horizon.held ? horizon.below : "");
    if (horizon.below === this.#at.seen && server.timeline === this.#at.timeline) return undefined;
    return { to: horizon.below, timeline: server.timeline, next: horizon.from, floor, cursor: null };
  }

  async #page(round: Round): Promise<Texts[]> {
    const { connection, layout, table } = this.#session;
    // The numbers of another timeline's transactions were given anew after the failover: all recent rows are sent again.
    const seen = this.#at.timeline === round.timeline ? this.#at.seen : "0";
    const query = pageQuery(table, layout, {
      order: this.#order,
      after: round.cursor,
      from: this.#at.from,
      visible: writtenBetween(seen === "0" ? undefined : seen, round.to),
      rows: PAGE_ROWS,
    });
    return await connection.texts("source_page", query);
  }

  async #send(round: Round, rows: readonly Texts[], last: boolean): Promise<void> {
    const { context, layout, sink, table } = this.#session;
    const cursors = this.#cursors(rows, round);
    const entries: Entry[] = rows.map((texts, at) => ({
      row: rowOf(layout, texts, "update"),
      place: this.#followed.place(
        last && at === rows.length - 1 ? this.#after(round) : this.#within(round, cursors[at] ?? null),
      ),
    }));
    const attributes = {
      "caudal.events": rows.length,
      "db.collection.name": table.name,
      "db.system.name": "postgresql",
    };
    await withSpan(
      context.tracer,
      "poll",
      { kind: SpanKind.PRODUCER, attributes },
      async () => await sink.write(entries),
    );
    context.health.clearError();
  }

  /** The place when the round is over. */
  #after({ to, timeline, next, floor }: Round): TimestampPlace {
    return { mode: "timestamp", seen: to, timeline, from: next, floor, round: null };
  }

  /** The place behind a row of a round; the round's beginning where there is none. */
  #within(round: Round, cursor: readonly string[] | null): TimestampPlace {
    return cursor === null ? this.#at : { ...this.#at, round: { ...round, cursor } };
  }

  #cursors(rows: readonly Texts[], { cursor }: Round): (readonly string[] | null)[] {
    const { layout } = this.#session;
    const order = this.#order.map((name) => layout.sources.findIndex(({ column }) => column === name));
    return cursorsOf(layout, order, rows, cursor);
  }

  async #keep(atOnce: boolean): Promise<void> {
    if (!atOnce && performance.now() - this.#keptAt < KEEP_MS) return;
    await this.#session.sink.keep(this.#followed.place(this.#at));
    this.#keptAt = performance.now();
  }

  /** A transaction that stays open holds back whatever is written after it has begun to write. */
  async #showHeld(below: string): Promise<void> {
    const { connection, context } = this.#session;
    const now = performance.now();
    if (below === "" || below !== this.#held.below) this.#held = { below, since: now };
    const heldMs = below === "" ? 0 : now - this.#held.since;
    context.metrics.sourceHeldBack.set(heldMs / 1000);
    if (heldMs < HELD_MS) {
      context.health.clearError("horizon");
      return;
    }
    const who = await whoHolds(connection, below);
    context.health.setError(
      "SourceHeldBack",
      `an open transaction holds back what others have written since: ${who}; end it, or use mode: cdc`,
      "horizon",
    );
  }
}

function begin(timeline: string): TimestampPlace {
  return { mode: "timestamp", seen: "0", timeline, from: null, floor: null, round: null };
}
