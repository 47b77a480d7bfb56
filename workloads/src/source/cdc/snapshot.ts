/**
 * The rows that were there when the slot was made. The slot comes with a snapshot that sees exactly what the slot will
 * not stream. Nothing has to stay open to use it: its text says which transactions it sees, so pages ask for the row
 * versions that those have written. A version that has been replaced meanwhile is not found any more, and need not be,
 * for the stream has what came after it. So the snapshot goes on at its cursor after any interruption.
 */
import { pause } from "../../runtime/retry.ts";
import { pageQuery, visibleIn } from "../core/page-sql.ts";
import type { CdcPlace } from "../core/place.ts";
import { snapshotText } from "../core/snapshot-text.ts";
import { cursorsOf, keyColumnsOf, nextCursor, rowOf } from "../core/table.ts";
import { DatabaseUnavailable } from "../../postgres/errors.ts";
import { identifier, literal } from "../../postgres/core/identifiers.ts";
import { dropSlot } from "../../postgres/replication.ts";
import type { FollowedSource } from "../followed.ts";
import type { Session } from "../session.ts";
import type { ReplicationStream } from "./stream.ts";

const PAGE_ROWS = 2_000;
/** The place holds the snapshot's text: so many transactions that are open at once pass. */
const MOST_OF_SNAPSHOT = 2_500;
const BEAT_MS = 5_000;

/** Makes the slot, anew if there is one. @returns the place at which its snapshot begins */
export async function createSlot(session: Session, stream: ReplicationStream): Promise<CdcPlace> {
  const { connection, config, context } = session;
  const { slot } = config.postgres;
  await dropSlot(connection, slot);
  const failover = await takesFailover(session);
  // The server waits for the end of every transaction that is open now.
  const beating = setInterval(() => context.health.beat(), BEAT_MS);
  try {
    const made = await stream.command(
      `CREATE_REPLICATION_SLOT ${identifier(slot)} LOGICAL pgoutput (SNAPSHOT 'export'${failover ? ", FAILOVER true" : ""})`,
    );
    const visible = await connection.inTransaction("source_snapshot", async () => {
      await connection.query("source_snapshot", { text: "set transaction isolation level repeatable read" });
      await connection.query("source_snapshot", {
        text: `set transaction snapshot ${literal(made["snapshot_name"] ?? "")}`,
      });
      const [row] = await connection.texts("source_snapshot", { text: "select pg_current_snapshot()::text" });
      return snapshotText(row?.[0] ?? "");
    });
    if (visible === "" || visible.length > MOST_OF_SNAPSHOT)
      throw new DatabaseUnavailable("too many transactions were open when the slot was made: trying again");
    context.log.info({ slot, lsn: made["consistent_point"], visible }, "made the replication slot");
    return { mode: "cdc", lsn: made["consistent_point"] ?? "0/0", part: null, snapshot: { visible, cursor: null } };
  } finally {
    clearInterval(beating);
  }
}

/** From PostgreSQL 17 on a slot can be kept on standbys, where these are set up for it. */
async function takesFailover({ connection }: Session): Promise<boolean> {
  const [row] = await connection.texts("source_version", { text: "select current_setting('server_version_num')" });
  return Number(row?.[0]) >= 170_000;
}

/** Sends the rows that the snapshot sees. @returns the place behind them; undefined when draining came first */
export async function sendSnapshot(
  session: Session,
  followed: FollowedSource,
  begin: CdcPlace,
  onProgress: () => void,
): Promise<CdcPlace | undefined> {
  const { connection, context, layout, sink, table } = session;
  const order = keyColumnsOf(layout);
  const done: CdcPlace = { ...begin, snapshot: null };
  if (begin.snapshot === null) return begin;
  const { visible } = begin.snapshot;
  let after = begin.snapshot.cursor;
  while (!context.drain.requested) {
    context.health.beat();
    session.leaving.throwIfAborted();
    await followed.look();
    const query = pageQuery(table, layout, { order, after, from: null, visible: visibleIn(visible), rows: PAGE_ROWS });
    const rows = await connection.texts("source_page", query);
    const last = rows.length < PAGE_ROWS;
    const cursors = cursorsOf(layout, layout.key, rows, after);
    const entries = rows.map((texts, at) => {
      const cursor = cursors[at] ?? null;
      const here = last && at === rows.length - 1 ? done : { ...begin, snapshot: { visible, cursor } };
      return { row: rowOf(layout, texts, "snapshot"), place: followed.place(here) };
    });
    if (entries.length > 0) await sink.write(entries);
    else await sink.keep(followed.place(done));
    onProgress();
    if (last) return done;
    after = nextCursor(cursors, after);
    await pause(0, context.drain.signal);
  }
  return undefined;
}
