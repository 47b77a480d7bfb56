/** The watermark of a stage: one row, read with what every partition's owner has stored, moved by compare-and-set. */
import type { Connection } from "./connection.ts";
import type { Owner } from "./core/table-decision.ts";

/** What is stored of one partition: of its tables, the one that has come furthest. */
export interface StoredPartition {
  readonly partition: number;
  /** Epoch milliseconds; null before its first event. */
  readonly maxEventTime: number | null;
  /** How long ago its owner last said that it is idle; null when it has not since its last commit. */
  readonly idleAgeMs: number | null;
}

export interface StoredWatermark {
  /** Epoch milliseconds; null before the first. */
  readonly watermark: number | null;
  readonly partitions: readonly StoredPartition[];
}

export async function readWatermark(
  connection: Connection,
  owner: Owner,
  topic: string,
  outputs: readonly string[],
): Promise<StoredWatermark> {
  const { rows } = await connection.query<{
    watermark: string | null;
    partition: number | null;
    event_time: string | null;
    idle_age: string | null;
  }>("read watermark", {
    name: "read watermark",
    text: `select floor(extract(epoch from w.watermark) * 1000) as watermark, p.partition,
        floor(extract(epoch from p.event_time) * 1000) as event_time,
        floor(extract(epoch from now() - p.idle_at) * 1000) as idle_age
      from (select max(watermark) as watermark from caudal.watermarks where pipeline = $1 and stage = $2) w
      left join (
        select distinct on (partition) partition, max_event_time as event_time, idle_at from caudal.progress
        where pipeline = $1 and topic = $3 and output = any($4::text[])
        order by partition, next_offset desc, idle_at desc nulls last
      ) p on true`,
    values: [owner.pipeline, owner.stage, topic, outputs],
  });
  return {
    watermark: numberOrNull(rows[0]?.watermark ?? null),
    partitions: rows.flatMap(({ partition, event_time, idle_age }) =>
      partition === null
        ? []
        : [{ partition, maxEventTime: numberOrNull(event_time), idleAgeMs: numberOrNull(idle_age) }],
    ),
  };
}

/**
 * Moves the watermark if it still is `from` and `to` is later. One that has begun anew meanwhile stays as it is.
 *
 * @returns whether it did
 */
export async function moveWatermark(
  connection: Connection,
  owner: Owner,
  from: number | null,
  to: number,
): Promise<boolean> {
  const { rowCount } = await connection.query("move watermark", {
    name: "move watermark",
    text: `insert into caudal.watermarks as w (pipeline, stage, watermark)
      select $1, $2, timestamptz 'epoch' + $4::bigint * interval '1 millisecond'
      where $3::bigint is null or exists (select from caudal.watermarks where pipeline = $1 and stage = $2)
      on conflict (pipeline, stage) do update set watermark = excluded.watermark, moved_at = now()
      where w.watermark is not distinct from timestamptz 'epoch' + $3::bigint * interval '1 millisecond'
        and (w.watermark is null or w.watermark < excluded.watermark)`,
    values: [owner.pipeline, owner.stage, from, to],
  });
  return rowCount === 1;
}

function numberOrNull(text: string | null): number | null {
  return text === null ? null : Number(text);
}
