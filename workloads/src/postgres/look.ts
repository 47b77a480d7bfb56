/** Looks whether progress is where it was left: what nothing else would notice while no events come. */
import type { Connection } from "./connection.ts";
import type { Definition } from "./core/table-decision.ts";
import { ProgressMoved } from "./errors.ts";
import type { MoveScope } from "./progress.ts";

/** Where an output was left on a partition. */
export interface Place {
  readonly output: string;
  readonly partition: number;
  readonly offset: number;
}

/**
 * @param outputs with the hashes under which they were left
 * @param settled whether no commit is under way, which could have moved places further
 * @throws ProgressMoved when a place has gone back or is gone, is of another definition, or was moved by someone else
 */
export async function checkPlaces(
  connection: Connection,
  { owner, topic, topicId }: MoveScope,
  outputs: readonly Definition[],
  places: readonly Place[],
  settled: boolean,
): Promise<void> {
  const plans = new Map(outputs.map(({ name, hash }) => [name, hash]));
  const known = places.filter(({ output }) => plans.has(output));
  if (known.length === 0) return;
  const { rows } = await connection.query<{
    output: string;
    partition: number;
    left_at: string;
    stored: string | null;
  }>("look", {
    name: "look",
    text: `select e.output, e.partition, e.next_offset as left_at, p.next_offset as stored
        from unnest($5::text[], $6::text[], $7::int[], $8::bigint[]) as e(output, plan, partition, next_offset)
        left join caudal.progress p on p.pipeline = $1 and p.uid = $2 and p.topic = $3 and p.topic_id = $4
          and p.output = e.output and p.plan = e.plan and p.partition = e.partition
        where p.next_offset is null or p.next_offset < e.next_offset or ($9 and p.next_offset <> e.next_offset)
        order by e.output, e.partition limit 1`,
    values: [
      ...[owner.pipeline, owner.uid, topic, topicId],
      known.map(({ output }) => output),
      known.map(({ output }) => plans.get(output)),
      known.map(({ partition }) => partition),
      known.map(({ offset }) => offset),
      settled,
    ],
  });
  const [moved] = rows;
  if (moved !== undefined)
    throw new ProgressMoved(
      `progress of ${moved.output} on ${topic}/${moved.partition} is at ${moved.stored ?? "no offset"} and was left at ${moved.left_at}: reading it again`,
    );
}
