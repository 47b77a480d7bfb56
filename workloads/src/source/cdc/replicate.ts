/**
 * Cdc mode: the rows that were there, then each transaction's changes in the order of commits. The place says up to where
 * in the log transactions have been sent, and of one that is too large for one transaction of Kafka how many of its rows;
 * after a restart the server streams again what it had not heard to be safe, and what the place has is passed over.
 */
import { identifier } from "../../postgres/core/identifiers.ts";
import { freeSlot } from "../../postgres/replication.ts";
import { readBaseTypes, readTable } from "../catalog.ts";
import { rowsOf } from "../core/page-sql.ts";
import type { CdcPlace } from "../core/place.ts";
import { checkIdentity, keyColumnsOf } from "../core/table.ts";
import { ReplicationUnreadable, SlotLost, SourceReplaced, TableTruncated } from "../errors.ts";
import { checkFamily, FollowedSource, type FollowedSession } from "../followed.ts";
import type { Session } from "../session.ts";
import type { Entry } from "../sink.ts";
import { type Change, changesOf, finishedRow, missingOf, nameOf, type Streamed, streamedLayout } from "./changes.ts";
import { formatLsn, parseLsn } from "./lsn.ts";
import { type Message, readMessage } from "./pgoutput/message.ts";
import type { Relation } from "./pgoutput/relation.ts";
import { ensurePublication } from "./publication.ts";
import { checkReplication, endOfLog, readSlot, type SlotState } from "./slot.ts";
import { createSlot, sendSnapshot } from "./snapshot.ts";
import { ReplicationStream } from "./stream.ts";

const MOST_ENTRIES = 2_000;
/** Characters of values that are gathered before they are sent. */
const MOST_CHARS = 512 * 1024;
const WAIT_MS = 1_000;
const KEEP_MS = 10 * 60_000;

/** @param onProgress told whenever Kafka has taken something, or there is nothing to take */
export async function replicate(session: Session, onProgress: () => void): Promise<void> {
  const { connection, config, context } = session;
  await checkReplication(connection);
  let place = await placeToGoOn(session);
  const followed = await prepare(place === undefined ? { ...session, place } : session);
  const { namespace, name } = context.config.pipeline;
  const title = `caudal ${namespace}/${name} ${context.config.stage.name} replication`;
  const stream = await ReplicationStream.open(config.postgres.secret, title);
  try {
    if (place === undefined) {
      place = await createSlot(session, stream);
      await session.sink.keep(followed.place(place));
    }
    const behind = await sendSnapshot(session, followed, place, onProgress);
    if (behind === undefined) return;
    await freeSlot(connection, config.postgres.slot);
    stream.start(config.postgres.slot, parseLsn(behind.lsn));
    await new Replicator(session, { stream, followed, onProgress }, behind).run();
  } finally {
    await stream.close();
  }
}

/**
 * Compares what is needed with what there is, and makes the publication: before there is a slot, and at each start.
 *
 * @throws SourceMismatch and the like, with what to write instead
 */
export async function prepare(session: FollowedSession): Promise<FollowedSource> {
  const { connection, config, table, layout, place } = session;
  await checkFamily(session);
  if (!table.partitioned) checkIdentity(config.postgres.table, table, layout);
  await ensurePublication(connection, { config, table, layout, begun: place !== undefined });
  return await FollowedSource.open(session);
}

/** @returns undefined when the source begins. @throws SlotLost */
async function placeToGoOn(session: Session): Promise<CdcPlace | undefined> {
  const { connection, config, origin, place } = session;
  if (place?.at.mode !== "cdc") return undefined;
  const state = await readSlot(connection, config.postgres.slot);
  // The pipeline was deleted, and its slot with it, and made again.
  if (state === undefined && place.origin.pipeline !== origin.pipeline) return undefined;
  await checkSlot(session, place.at, state);
  return place.at;
}

/** @throws SlotLost when the slot cannot give what comes after the place */
async function checkSlot({ connection, config }: Session, at: CdcPlace, state: SlotState | undefined): Promise<void> {
  const { slot, resync } = config.postgres;
  const end = await endOfLog(connection);
  const what =
    state === undefined
      ? `the replication slot ${slot} is gone (dropped, given up because of maxRetainedWal, or not there after a failover)`
      : state.wal === "lost"
        ? `the server has removed log that the replication slot ${slot} still needed (${state.invalidated ?? "max_slot_wal_keep_size"})`
        : parseLsn(at.lsn) > end
          ? `the server's log ends at ${formatLsn(end)}, before ${at.lsn}, up to which changes were sent: a failover has lost some`
          : undefined;
  if (what !== undefined)
    throw new SlotLost(
      `${what}: changes since then are not known; raise postgres.resync (now ${resync}) to make a new slot and send the whole table again`,
    );
}

class Replicator {
  readonly #session: Session;
  readonly #stream: ReplicationStream;
  readonly #followed: FollowedSource;
  readonly #onProgress: () => void;
  /** By oid, the table and its partitions as they are at this point of the log. */
  readonly #streamed = new Map<number, Streamed>();
  #place: CdcPlace;
  /** Rows of the transaction that is being streamed, and how many of its first ones have been sent before. */
  #transaction: { readonly commit: bigint; readonly sent: number; rows: number } | undefined;
  #entries: Entry[] = [];
  #chars = 0;
  #keptAt = performance.now();

  constructor(
    session: Session,
    {
      stream,
      followed,
      onProgress,
    }: { readonly stream: ReplicationStream; readonly followed: FollowedSource; readonly onProgress: () => void },
    place: CdcPlace,
  ) {
    this.#session = session;
    this.#stream = stream;
    this.#followed = followed;
    this.#place = place;
    this.#onProgress = onProgress;
  }

  async run(): Promise<void> {
    const { drain, health } = this.#session.context;
    while (!drain.requested) {
      health.beat();
      this.#session.leaving.throwIfAborted();
      await this.#lookOrFlush();
      const received = await this.#stream.next(WAIT_MS);
      if (received?.kind === "data") {
        const message = readMessage(received.data);
        if (message !== undefined) await this.#take(message);
      }
      const full = this.#entries.length >= MOST_ENTRIES || this.#chars >= MOST_CHARS;
      if (full || this.#stream.idle) await this.#flush();
      if (received?.kind === "keepalive" && this.#entries.length === 0) this.#stayAlive(received.end);
    }
    await this.#flush();
  }

  /** What was sent before the table changed was right: it is kept before this stops. */
  async #lookOrFlush(): Promise<void> {
    try {
      await this.#followed.look();
    } catch (error) {
      if (this.#transaction === undefined) await this.#flush();
      throw error;
    }
  }

  /** Nothing of this table is open or waits: all of the log up to there is done with. */
  #stayAlive(end: bigint): void {
    if (this.#transaction === undefined) this.#stream.confirm(end);
    else this.#stream.confirm(parseLsn(this.#place.lsn));
    this.#onProgress();
  }

  async #take(message: Message): Promise<void> {
    switch (message.kind) {
      case "begin": {
        const { lsn, part } = this.#place;
        const whole = message.commit < parseLsn(lsn);
        const sent = whole ? Infinity : part !== null && parseLsn(part.commit) === message.commit ? part.changes : 0;
        this.#transaction = { commit: message.commit, sent, rows: 0 };
        return;
      }
      case "commit":
        this.#commit(message.end);
        return;
      case "relation":
        await this.#followed.meet(message.oid);
        this.#streamed.set(message.oid, await this.#layout(message));
        return;
      case "truncate":
        await this.#truncated();
        return;
      default: {
        const streamed = this.#streamed.get(message.oid);
        if (streamed === undefined)
          throw new ReplicationUnreadable(`a change of the table ${message.oid}, of which nothing was told before`);
        for (const change of changesOf(streamed, message)) await this.#add(streamed, change);
      }
    }
  }

  async #add(streamed: Streamed, change: Change): Promise<void> {
    const transaction = this.#transaction;
    if (transaction === undefined) return;
    transaction.rows++;
    if (transaction.rows <= transaction.sent) return;
    const found = missingOf(change).length === 0 ? [] : await this.#lookUp(streamed, change);
    // It is gone by now, or another: its deletion, or the change that made it so, follows.
    if (found === undefined) return;
    const row = finishedRow(streamed, change, found);
    const part = { commit: formatLsn(transaction.commit), changes: transaction.rows };
    this.#entries.push({ row, place: this.#followed.place({ ...this.#place, part }) });
    this.#chars += row.value?.length ?? 0;
  }

  /** All of the transaction is there. */
  #commit(end: bigint): void {
    const whole = this.#transaction?.sent === Infinity;
    const any = (this.#transaction?.rows ?? 0) > 0;
    this.#transaction = undefined;
    if (whole) return;
    this.#place = { ...this.#place, lsn: formatLsn(end), part: null };
    const last = this.#entries.at(-1);
    if (any && last !== undefined)
      this.#entries[this.#entries.length - 1] = { ...last, place: this.#followed.place(this.#place) };
  }

  async #flush(): Promise<void> {
    const { context, sink } = this.#session;
    const entries = this.#entries;
    if (entries.length > 0) {
      this.#entries = [];
      this.#chars = 0;
      await sink.write(entries);
      this.#keptAt = performance.now();
      context.health.clearError();
      this.#stream.confirm(parseLsn(this.#place.lsn));
      this.#onProgress();
    } else if (this.#transaction === undefined && performance.now() - this.#keptAt > KEEP_MS) {
      // Kafka forgets the place of a group that has been silent for days.
      await sink.keep(this.#followed.place(this.#place));
      this.#keptAt = performance.now();
    }
  }

  async #layout(relation: Relation): Promise<Streamed> {
    const { connection, config } = this.#session;
    const bases = await readBaseTypes(
      connection,
      relation.columns.map(({ typeOid }) => typeOid),
    );
    const table = await readTable(connection, config.postgres.table);
    if (table.oid !== this.#session.table.oid)
      throw new SourceReplaced(
        `${config.postgres.table} is another table now: raise postgres.resync (now ${config.postgres.resync}) to send the whole table again`,
      );
    return streamedLayout(config, table, relation, (oid) => bases.get(oid) ?? oid);
  }

  async #truncated(): Promise<void> {
    const { config, context } = this.#session;
    const { table, onTruncate } = config.postgres;
    const { partitioned } = this.#session.table;
    const transaction = this.#transaction;
    if (transaction !== undefined && transaction.sent === Infinity) return;
    if (onTruncate === "Ignore") {
      context.log.warn({ table }, "the table was truncated: passed over");
      context.metrics.sourceTruncates.inc();
      return;
    }
    await this.#flush();
    throw new TableTruncated(
      `${table}${partitioned ? " (or a partition of it)" : ""} was truncated, which does not say which rows are gone: set postgres.onTruncate: Ignore to go on behind it, and clear the topic's readers yourself`,
    );
  }

  /**
   * Values that are kept outside of the row and were not changed are read from the table as it is now, as long as the row
   * still is what the log says in all other columns: a row that was changed again, or deleted and made anew, is another.
   */
  async #lookUp(streamed: Streamed, change: Change): Promise<(string | null)[] | undefined> {
    const { connection, context, table } = this.#session;
    const { texts } = change;
    const { sources, key } = streamed.layout;
    const conditions = keyColumnsOf(streamed.layout).map((name, at) => `t.${identifier(name)} = $${at + 1}`);
    const [row] = await connection.texts("source_unchanged", {
      text: `select ${sources.map(({ column }) => `t.${identifier(column)}`).join(", ")} from ${rowsOf(table)} t where ${conditions.join(" and ")}`,
      values: key.map((at) => texts[at] ?? null),
    });
    if (row !== undefined && texts.every((text, at) => text === undefined || text === row[at])) return row;
    context.log.debug({ row: nameOf(streamed, change) }, "a row is gone, or another, before its update was sent");
    context.metrics.sourceSuperseded.inc();
    return undefined;
  }
}
