/** Rows on their way to topics, in the order in which they were committed. */
import type { Connection } from "./connection.ts";
import type { Owner } from "./core/table-decision.ts";

export interface OutboxRow {
  readonly seq: number;
  readonly table: string;
  readonly key: string | null;
  readonly value: string;
}

/** Bytes of values that are read at once, unless one alone has more. */
const MAX_BYTES = 4 * 1024 * 1024;

/** The first rows after a place. */
export async function readOutbox(
  connection: Connection,
  { pipeline, stage }: Owner,
  after: number,
  limit: number,
): Promise<readonly OutboxRow[]> {
  const { rows } = await connection.query<{ seq: string; table_name: string; key: string | null; value: string }>(
    "read outbox",
    {
      name: "read outbox",
      text: `select seq, table_name, key, value from (
          select o.*, sum(length(value)) over (order by seq) - length(value) as before from (
            select * from caudal.outbox where pipeline = $1 and stage = $2 and seq > $3 order by seq limit $4) o) r
        where before < $5 order by seq`,
      values: [pipeline, stage, after, limit, MAX_BYTES],
    },
  );
  return rows.map(({ seq, table_name, ...rest }) => ({ seq: Number(seq), table: table_name, ...rest }));
}

/** Whether the outbox holds as many rows as this. */
export async function outboxHolds(connection: Connection, { pipeline, stage }: Owner, count: number): Promise<boolean> {
  const { rows } = await connection.query("read outbox", {
    name: "count outbox",
    text: "select from caudal.outbox where pipeline = $1 and stage = $2 offset $3 limit 1",
    values: [pipeline, stage, count - 1],
  });
  return rows.length > 0;
}

/** Forgets rows up to a place. */
export async function trimOutbox(connection: Connection, { pipeline, stage }: Owner, upTo: number): Promise<void> {
  await connection.query("trim outbox", {
    name: "trim outbox",
    text: "delete from caudal.outbox where pipeline = $1 and stage = $2 and seq <= $3",
    values: [pipeline, stage, upTo],
  });
}

/** What tells this database from another one: its numbers are its own. */
export async function installationOf(connection: Connection): Promise<string> {
  const { rows } = await connection.query<{ id: string }>("read outbox", {
    text: "select id from caudal.installation",
  });
  return rows[0]?.id ?? "";
}
