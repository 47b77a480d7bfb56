/** How far each table has come on each partition, and the statement that moves it. */
import type { Connection, Statement } from "./connection.ts";
import type { Definition, Owner } from "./core/table-decision.ts";

/** A table's place on a partition; all of it is compared when it moves. */
export interface Progress {
  readonly output: string;
  readonly partition: number;
  readonly uid: string;
  readonly nextOffset: number;
  readonly leaderEpoch: number;
  readonly topicId: string;
  readonly plan: string;
  /** The watermark by which events from nextOffset on are judged where late ones go to the dead letters; null: none. */
  readonly judgedBy: number | null;
}

/** One step of one table on one partition. */
export interface Move {
  readonly output: string;
  readonly plan: string;
  readonly partition: number;
  readonly from: number;
  readonly to: number;
  readonly fromEpoch: number;
  readonly toEpoch: number;
  /** Largest event time of the events between, epoch milliseconds. */
  readonly maxEventTime: number | null;
}

/** What all moves of a transaction share. */
export interface MoveScope {
  readonly owner: Owner;
  readonly topic: string;
  readonly topicId: string;
  /** Ids of topics of this name of which a person has said that they are gone. */
  readonly lost?: readonly string[] | undefined;
}

/** Makes the statement that compares and moves; it raises {@link ProgressMoved} when any row is not as expected. */
export type MoveStatement = (scope: MoveScope, moves: readonly Move[]) => Statement;

export const compareAndMove: MoveStatement = (scope, moves) => ({
  name: "move progress",
  text: "select caudal.move_progress($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
  values: [
    scope.owner.pipeline,
    scope.owner.uid,
    scope.topic,
    scope.topicId,
    moves.map((move) => move.output),
    moves.map((move) => move.plan),
    moves.map((move) => move.partition),
    moves.map((move) => move.from),
    moves.map((move) => move.to),
    moves.map((move) => move.fromEpoch),
    moves.map((move) => move.toEpoch),
    moves.map((move) => move.maxEventTime),
  ],
});

/**
 * Another watermark by which a table's events from an offset on are judged. It is stored before they are read: whoever
 * reads them, also again, finds the same ones late, so that no event is in its row and in the dead letters.
 */
export interface Judgement {
  readonly output: string;
  readonly partition: number;
  readonly offset: number;
  readonly from: number | null;
  readonly to: number | null;
}

/** The statement that stores judgements; it raises {@link ProgressMoved} when any row is not as expected. */
export function moveJudgements(scope: MoveScope, judgements: readonly Judgement[]): Statement {
  return {
    name: "move judgements",
    text: "select caudal.move_judgement($1, $2, $3, $4, $5, $6, $7)",
    values: [
      scope.owner.pipeline,
      scope.topic,
      judgements.map(({ output }) => output),
      judgements.map(({ partition }) => partition),
      judgements.map(({ offset }) => offset),
      judgements.map(({ from }) => from),
      judgements.map(({ to }) => to),
    ],
  };
}

export async function readProgress(
  connection: Connection,
  owner: Owner,
  topic: string,
  outputs: readonly string[],
  partitions: readonly number[],
): Promise<readonly Progress[]> {
  const { rows } = await connection.query<{
    output: string;
    partition: number;
    uid: string;
    next_offset: string;
    leader_epoch: number;
    topic_id: string;
    plan: string;
    judged_by: string | null;
  }>("read progress", {
    name: "read progress",
    text: `select output, partition, uid, next_offset, leader_epoch, topic_id, plan,
        floor(extract(epoch from judged_by) * 1000) as judged_by
      from caudal.progress
      where pipeline = $1 and topic = $2 and output = any($3::text[]) and partition = any($4::int[])
      order by partition, output`,
    values: [owner.pipeline, topic, outputs, partitions],
  });
  return rows.map((row) => ({
    output: row.output,
    partition: row.partition,
    uid: row.uid,
    nextOffset: Number(row.next_offset),
    leaderEpoch: row.leader_epoch,
    topicId: row.topic_id,
    plan: row.plan,
    judgedBy: row.judged_by === null ? null : Number(row.judged_by),
  }));
}

/** Gives up places in topics that are gone, so that outputs begin at the start of the one that has their name now. */
export async function forgetLostTopics(
  connection: Connection,
  { owner, topic, topicId, lost = [] }: MoveScope,
  outputs: readonly string[],
  partitions: readonly number[],
): Promise<void> {
  const gone = lost.filter((id) => id !== topicId);
  if (gone.length === 0) return;
  await connection.query("forget lost topics", {
    text: `delete from caudal.progress where pipeline = $1 and uid = $2 and topic = $3
        and topic_id = any($4::text[]) and output = any($5::text[]) and partition = any($6::int[])`,
    values: [owner.pipeline, owner.uid, topic, gone, outputs, partitions],
  });
}

/** Where an output begins on a partition. */
export interface FirstPlace {
  readonly output: string;
  readonly plan: string;
  readonly partition: number;
  readonly offset: number;
  /** Name of its claim, where that is not the output's. */
  readonly claim?: string;
}

/**
 * Stores where tables begin; of two workers that begin at once, one wins and both go on from what it stored. Nothing is
 * stored for a table that is not claimed under this definition: it was forgotten, or another definition has it. Where
 * other tables of the stage are ahead, the table takes everything until it has caught up: it is judged by nothing yet.
 */
export async function insertFirstProgress(
  connection: Connection,
  scope: MoveScope,
  first: readonly FirstPlace[],
): Promise<void> {
  await connection.query("first progress", {
    text: `insert into caudal.progress
        (pipeline, uid, topic, topic_id, output, plan, partition, next_offset, leader_epoch, judged_by)
      select $1, $2, $3, $4, f.output, f.plan, f.partition, f.next_offset, -1,
        (select watermark from caudal.watermarks w where w.pipeline = $1 and w.stage = $9 and not exists (
          select from caudal.progress q join caudal.claims o on o.table_name = q.output
          where q.pipeline = $1 and o.pipeline = $1 and o.stage = $9
            and q.topic = $3 and q.partition = f.partition and q.next_offset > f.next_offset))
      from unnest($5::text[], $6::text[], $7::int[], $8::bigint[], $10::text[]) as f(output, plan, partition, next_offset, claim)
      join caudal.claims c on c.table_name = f.claim and c.plan = f.plan
      where c.pipeline = $1 and c.stage = $9 and c.uid = $2
      order by f.partition, f.output
      for share of c
      on conflict do nothing`,
    values: [
      scope.owner.pipeline,
      scope.owner.uid,
      scope.topic,
      scope.topicId,
      first.map((row) => row.output),
      first.map((row) => row.plan),
      first.map((row) => row.partition),
      first.map((row) => row.offset),
      scope.owner.stage,
      first.map((row) => row.claim ?? row.output),
    ],
  });
}

/**
 * Says that the owner has seen the end of these partitions and nothing new for the idle time. Ignored for a partition
 * that has moved meanwhile.
 */
export async function confirmIdle(
  connection: Connection,
  scope: MoveScope,
  tables: readonly Definition[],
  idle: readonly { readonly partition: number; readonly nextOffset: number }[],
): Promise<void> {
  await connection.query("confirm idle", {
    name: "confirm idle",
    text: `update caudal.progress p set idle_at = now()
      from unnest($5::int[], $6::bigint[]) as i(partition, next_offset)
      where p.pipeline = $1 and p.uid = $2 and p.topic = $3 and p.topic_id = $4
        and p.partition = i.partition and p.next_offset = i.next_offset
        and (p.output, p.plan) in (select * from unnest($7::text[], $8::text[]))`,
    values: [
      scope.owner.pipeline,
      scope.owner.uid,
      scope.topic,
      scope.topicId,
      idle.map((row) => row.partition),
      idle.map((row) => row.nextOffset),
      tables.map(({ name }) => name),
      tables.map(({ hash }) => hash),
    ],
  });
}
