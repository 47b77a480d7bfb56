/**
 * Windows that the watermark has passed become final, and their rows go into the outbox: a part of them in each
 * transaction, which moves the table's place in the same step. Once a window is final a commit that changes it is refused
 * or becomes a revision, so that it does not matter when its rows are copied.
 */
import type { TablePlan } from "@caudal/pipeline/sql";
import type { Connection } from "./connection.ts";
import { LAST_HASH, outboxLock, PLAN_BY_INDEX, recordColumns, windowsFromPanes } from "./core/final-rows.ts";
import { groupHash } from "./core/group-hash.ts";
import { literal, qualified, storage } from "./core/identifiers.ts";
import type { Owner } from "./core/table-decision.ts";
import { milliseconds } from "./core/table-ddl.ts";
import { nextEnd } from "./core/window-ends.ts";
import { TransactionConflict } from "./errors.ts";
import { MARK_WAIT_MS, mine, ownership } from "./housekeeping.ts";

export interface Emitted {
  readonly rows: number;
  /** Whether there is more at once. */
  readonly more: boolean;
}

/** Place of a table in its final rows, as PostgreSQL writes it. */
interface Place {
  readonly end: string;
  readonly hash: string;
}

interface Due {
  readonly final: string;
  /** Null before the first. */
  readonly place: Place | null;
}

const NOTHING: Emitted = { rows: 0, more: false };
const FIRST: Place = { end: "-infinity", hash: "-9223372036854775808" };

/**
 * Moves on by one transaction, if there is anything to do.
 *
 * @param table with an emission
 * @param limit rows, roughly
 */
export async function emitFinalRows(
  connection: Connection,
  owner: Owner,
  table: TablePlan,
  limit: number,
): Promise<Emitted> {
  if ((await findDue(connection, owner, table)) === undefined) return NOTHING;
  try {
    return await connection.inTransaction("emit", async () => {
      await connection.query("emit", { text: `set local lock_timeout = ${MARK_WAIT_MS}; ${PLAN_BY_INDEX}` });
      const due = await moveFinal(connection, owner, table);
      if (due === undefined) return NOTHING;
      await connection.query("emit", { text: `select ${outboxLock(owner.pipeline, owner.stage)}` });
      const emitted = table.panes
        ? await copyWindows(connection, owner, table, due, limit)
        : await copyRows(connection, owner, table, due, limit);
      await connection.query("emit", {
        text: `update caudal.claims c set emitted_end = $6::timestamptz, emitted_hash = $7 where ${mine}`,
        values: [...ownership(owner, table), emitted.place.end, emitted.place.hash],
      });
      return emitted;
    });
  } catch (error) {
    // A commit held the marks for too long: at the next turn, then.
    if (error instanceof TransactionConflict) return NOTHING;
    throw error;
  }
}

/**
 * The end of the last window that the watermark `w` has passed. An event that is not late may still join a session that
 * ended less than a gap ago.
 */
function lastFinal({ size, advance, gap }: TablePlan): string {
  if (gap !== undefined) return `w.watermark - ${milliseconds(gap)}`;
  return `date_bin(${milliseconds(advance)}, w.watermark, timestamptz 'epoch' + ${milliseconds(size % advance)})`;
}

/** The watermark is that of the tables that have come furthest: it says nothing of one that still catches up. */
const caughtUp = `not exists (
  select from caudal.progress q join caudal.claims o on o.table_name = q.output
  where q.pipeline = $1 and o.pipeline = $1 and o.stage = $2 and not exists (
    select from caudal.progress p
    where p.pipeline = $1 and p.output = c.table_name and p.topic = q.topic and p.partition = q.partition
      and p.next_offset >= q.next_offset))`;

/** What is to do; undefined when everything final is in the outbox, or the table is not the owner's. */
async function findDue(connection: Connection, owner: Owner, table: TablePlan): Promise<Due | undefined> {
  const { rows } = await connection.query<{ final: string; emitted_end: string | null; emitted_hash: string | null }>(
    "find final",
    {
      name: `find final ${table.name}`,
      text: `select greatest(c.final, ${lastFinal(table)})::text as final, c.emitted_end::text, c.emitted_hash
        from caudal.claims c join caudal.watermarks w on w.pipeline = $1 and w.stage = $2
        where ${mine} and w.watermark is not null
          and (c.emitted_end is null or (c.emitted_end, c.emitted_hash) < (greatest(c.final, ${lastFinal(table)}), ${LAST_HASH}))
          and ${caughtUp}`,
      values: ownership(owner, table),
    },
  );
  return dueOf(rows[0]);
}

/** Waits for the commits that look at the marks; those that come after this transaction see the new one. */
async function moveFinal(connection: Connection, owner: Owner, table: TablePlan): Promise<Due | undefined> {
  const { rows } = await connection.query<{ final: string; emitted_end: string | null; emitted_hash: string | null }>(
    "move final",
    {
      text: `update caudal.claims c set final = greatest(c.final, ${lastFinal(table)})
        from caudal.watermarks w
        where w.pipeline = $1 and w.stage = $2 and w.watermark is not null and ${mine} and ${caughtUp}
        returning c.final::text, c.emitted_end::text, c.emitted_hash`,
      values: ownership(owner, table),
    },
  );
  return dueOf(rows[0]);
}

function dueOf(
  row: { final: string; emitted_end: string | null; emitted_hash: string | null } | undefined,
): Due | undefined {
  if (row === undefined) return undefined;
  const { final, emitted_end: end, emitted_hash: hash } = row;
  return { final, place: end === null || hash === null ? null : { end, hash } };
}

type Copied = Emitted & { readonly place: Place };

async function copyRows(
  connection: Connection,
  owner: Owner,
  table: TablePlan,
  { final, place }: Due,
  limit: number,
): Promise<Copied> {
  const from = place ?? FIRST;
  const at = `(t."window_end", ${groupHash(table, "t")})`;
  const rows = `from ${qualified(storage(table))} as t where ${at} > ($1::timestamptz, $2::bigint)`;
  const order = `order by t."window_end", ${groupHash(table, "t")}`;
  const bound = await connection.query<Place>("emit", {
    name: `bound of ${table.name}`,
    text: `select t."window_end"::text as end, ${groupHash(table, "t")}::text as hash ${rows}
      and t."window_end" <= $3::timestamptz ${order} offset $4 limit 1`,
    values: [from.end, from.hash, final, limit - 1],
  });
  const to = bound.rows[0] ?? { end: final, hash: LAST_HASH };
  const { rowCount } = await connection.query("emit", {
    name: `emit ${table.name}`,
    text: `insert into caudal.outbox (pipeline, stage, table_name, key, value)
      select $5, $6, ${literal(table.name)}, o.key, o.value
      from (select t."window_end" as at, ${groupHash(table, "t")} as hash, ${recordColumns(table, "t")} ${rows}
        and ${at} <= ($3::timestamptz, $4::bigint)) as o
      order by o.at, o.hash`,
    values: [from.end, from.hash, to.end, to.hash, owner.pipeline, owner.stage],
  });
  return { rows: rowCount ?? 0, more: bound.rows.length > 0, place: to };
}

/** Windows of panes one after another, each from its panes, until the limit. */
async function copyWindows(
  connection: Connection,
  owner: Owner,
  table: TablePlan,
  { final: finalText, place }: Due,
  limit: number,
): Promise<Copied> {
  const final = instant(finalText);
  let rows = 0;
  let end = place === null ? -Infinity : instant(place.end);
  let hash = place === null ? LAST_HASH : place.hash;
  while (rows < limit) {
    if (hash === LAST_HASH) {
      end = await nextWindow(connection, table, end);
      hash = FIRST.hash;
      if (end > final) return { rows, more: false, place: { end: finalText, hash: LAST_HASH } };
    }
    const to = await boundOfWindow(connection, table, end, hash, limit - rows);
    rows += await copyWindow(connection, owner, table, { end, from: hash, to });
    hash = to;
  }
  return { rows, more: true, place: { end: new Date(end).toISOString(), hash } };
}

/** Epoch milliseconds of a time as PostgreSQL writes it in UTC. */
function instant(text: string): number {
  return Date.parse(text.replace(" ", "T").replace(/\+00$/, "Z"));
}

/** The end of the next window with rows; Infinity when there is none. */
async function nextWindow(connection: Connection, table: TablePlan, end: number): Promise<number> {
  const { advance, size } = table;
  const after = end === -Infinity ? "-infinity" : new Date(end + advance - size).toISOString();
  const { rows } = await connection.query<{ start: string | null }>("emit", {
    name: `next of ${table.name}`,
    text: `select floor(extract(epoch from min("window_start")) * 1000) as start
      from ${qualified(storage(table))} where "window_start" >= $1::timestamptz`,
    values: [after],
  });
  const start = rows[0]?.start ?? null;
  return start === null ? Infinity : Math.max(nextEnd(table, Number(start)), end + advance);
}

/** Hash of the last group of a part of a window, such that its panes have about as many rows as the limit says. */
async function boundOfWindow(
  connection: Connection,
  table: TablePlan,
  end: number,
  from: string,
  limit: number,
): Promise<string> {
  const [size, pane] = [milliseconds(table.size), milliseconds(table.pane)];
  const hash = groupHash(table, "p");
  const { rows } = await connection.query<{ hash: string }>("emit", {
    name: `bound of ${table.name}`,
    text: `select x.hash::text as hash
      from generate_series($1::timestamptz - ${size}, $1::timestamptz - ${pane}, ${pane}) as s(at),
        lateral (select ${hash} as hash from ${qualified(storage(table))} p
          where p."window_start" = s.at and ${hash} > $2::bigint order by 1 limit $3) as x
      order by x.hash offset $3 - 1 limit 1`,
    values: [new Date(end).toISOString(), from, limit],
  });
  return rows[0]?.hash ?? LAST_HASH;
}

async function copyWindow(
  connection: Connection,
  owner: Owner,
  table: TablePlan,
  { end, from, to }: { readonly end: number; readonly from: string; readonly to: string },
): Promise<number> {
  const hash = groupHash(table, "p");
  const condition = `${hash} > $2::bigint and ${hash} <= $3::bigint`;
  const { rowCount } = await connection.query("emit", {
    name: `emit ${table.name}`,
    text: `insert into caudal.outbox (pipeline, stage, table_name, key, value)
      select $4, $5, ${literal(table.name)}, o.key, o.value
      from (select ${groupHash(table, "r")} as hash, ${recordColumns(table, "r")}
        from (${windowsFromPanes(table, "$1::timestamptz", condition)}) as r) as o
      order by o.hash`,
    values: [new Date(end).toISOString(), from, to, owner.pipeline, owner.stage],
  });
  return rowCount ?? 0;
}
