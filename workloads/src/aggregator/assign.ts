/** From partitions to lanes: where each table stands, checked against the log before anything is read. */
import type { KafkaCluster } from "../kafka/cluster.ts";
import { listOffsets } from "../kafka/offsets.ts";
import type { Connection } from "../postgres/connection.ts";
import type { Owner } from "../postgres/core/table-decision.ts";
import { readPlaces } from "../postgres/places.ts";
import type { MoveScope } from "../postgres/progress.ts";
import type { TablePlan } from "../sql/plan.ts";
import { checkLog } from "../stage/check-log.ts";
import { type Lane, planLanes } from "./core/lanes.ts";

export interface AssignParts {
  readonly cluster: KafkaCluster;
  readonly control: Connection;
  readonly owner: Owner;
  readonly topic: string;
  readonly tables: readonly TablePlan[];
}

export interface Assignment {
  readonly scope: MoveScope;
  readonly lanes: readonly Lane[];
  /** Where the assigned partitions end for committed reads. */
  readonly ends: ReadonlyMap<number, number>;
  /** Of the whole topic, not only of those assigned. */
  readonly partitionCount: number;
}

/**
 * Reads the progress of every table on the partitions; a table without any begins at the log's start.
 *
 * @throws TopicRecreated, OffsetOutOfRange, LogTruncated when the log is not the one that was read; TableRefused when
 * the progress is of another definition or of a newer pipeline
 */
export async function assign(parts: AssignParts, partitions: readonly number[]): Promise<Assignment> {
  const { cluster, control, owner, tables } = parts;
  const topic = await cluster.topic(parts.topic);
  const scope: MoveScope = { owner, topic: topic.name, topicId: topic.topicId };
  const base = { scope, partitionCount: topic.partitions.length };
  if (partitions.length === 0) return { ...base, lanes: [], ends: new Map() };
  const names = tables.map(({ name }) => name);
  const starts = await listOffsets(cluster, topic, "earliest", partitions);
  const progress = await readPlaces(control, scope, tables, starts);
  const lanes = planLanes(
    progress.map(({ output, partition, nextOffset, leaderEpoch, judgedBy }) => ({
      table: output,
      partition,
      offset: nextOffset,
      epoch: leaderEpoch,
      judgedBy,
    })),
    names,
  );
  const positions = lanes.map(({ partition, offset, tables: standing }) => ({
    partition,
    offset,
    epoch: Math.max(...standing.map(({ epoch }) => epoch)),
  }));
  await checkLog(cluster, topic, positions, starts);
  return { ...base, lanes, ends: await listOffsets(cluster, topic, "latest", partitions) };
}
