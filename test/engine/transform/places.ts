/** How far the outputs of a transform have come, as they keep it themselves. */
import { outputGroup, type WorkloadConfig } from "@caudal/crds";
import { poll } from "../../cluster/host/poll.ts";
import type { Topic } from "../aggregator/topic.ts";
import type { Database } from "../postgres.ts";
import type { Redis } from "../redis.ts";

export interface Kept {
  /** The topic that is read. */
  readonly topic: Topic;
  readonly database: Database;
  /** For outputs to Redis. */
  readonly redis?: Redis;
}

type Output = NonNullable<WorkloadConfig["transform"]>["to"][number];

/** Waits until all outputs have committed everything before the ends. */
export async function untilWritten(
  config: WorkloadConfig,
  kept: Kept,
  ends: ReadonlyMap<number, number>,
  seconds = 90,
): Promise<void> {
  for (const output of config.transform?.to ?? []) {
    const behind = async (): Promise<readonly string[]> => {
      const places = await placesOf(config, output, kept, [...ends.keys()]);
      return [...ends].flatMap(([partition, end]) => {
        const place = places.get(partition) ?? 0;
        return place >= end ? [] : [`${partition}: ${place} of ${end}`];
      });
    };
    let last: readonly string[] = [];
    const written = async (): Promise<true | undefined> => {
      // A server may be away, or have no progress yet.
      last = await behind().catch((error: unknown) => [String(error)]);
      return last.length === 0 ? true : undefined;
    };
    const onTimeout = () => `${config.stage.name}/${output.name} is not at the end: ${last.join(", ")}`;
    await poll(written, { seconds, everyMs: 200, onTimeout });
  }
}

async function placesOf(
  config: WorkloadConfig,
  { name, table, redis, files }: Output,
  kept: Kept,
  partitions: readonly number[],
): Promise<ReadonlyMap<number, number>> {
  const { stage, pipeline } = config;
  if (table !== undefined) return await tablePlaces(kept, table.name);
  if (files !== undefined) return await tablePlaces(kept, `${stage.name}/${name}`);
  if (redis === undefined) return await groupPlaces(kept, outputGroup(config, name));
  const prefix = `caudal:progress:${pipeline.namespace}/${pipeline.name}/${stage.name}/${name}:${kept.topic.name}`;
  const places = partitions.map(async (partition) => {
    const next = await kept.redis?.command("HGET", `${prefix}:${partition}`, "next");
    return [partition, Number(next)] as const;
  });
  return new Map(await Promise.all(places));
}

async function groupPlaces({ topic }: Kept, groupId: string): Promise<ReadonlyMap<number, number>> {
  const [offsets] = await topic.admin.fetchOffsets({ groupId, topics: [topic.name] });
  return new Map((offsets?.partitions ?? []).map(({ partition, offset }) => [partition, Number(offset)]));
}

async function tablePlaces({ database, topic }: Kept, output: string): Promise<ReadonlyMap<number, number>> {
  const rows = await database.query<{ partition: number; next_offset: string }>(
    "select partition, next_offset from caudal.progress where topic = $1 and output = $2",
    [topic.name, output],
  );
  return new Map(rows.map(({ partition, next_offset }) => [partition, Number(next_offset)]));
}
