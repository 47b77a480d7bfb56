/** From partitions to lanes: where each table stands, checked against the log before anything is read. */
import type { KafkaCluster, TopicInfo } from "../kafka/cluster.ts";
import { OffsetOutOfRange, TopicRecreated } from "../kafka/errors.ts";
import { listOffsets, verifyPosition } from "../kafka/offsets.ts";
import type { Connection } from "../postgres/connection.ts";
import type { Owner } from "../postgres/core/table-decision.ts";
import { TableRefused } from "../postgres/errors.ts";
import { insertFirstProgress, type MoveScope, type Progress, readProgress } from "../postgres/progress.ts";
import type { TablePlan } from "../sql/plan.ts";
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
  if (partitions.length === 0) return { ...base, lanes: [] };
  const names = tables.map(({ name }) => name);
  const starts = await listOffsets(cluster, topic, "earliest", partitions);
  const read = async () => await readProgress(control, owner, topic.name, names, partitions);
  let progress = await read();
  const missing = firstPlaces(progress, tables, partitions, starts);
  if (missing.length > 0) {
    await insertFirstProgress(control, scope, missing);
    progress = await read();
  }
  checkIdentity(progress, parts, topic);
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
  await checkLog(cluster, topic, lanes, starts);
  return { ...base, lanes };
}

function firstPlaces(
  progress: readonly Progress[],
  tables: readonly TablePlan[],
  partitions: readonly number[],
  starts: ReadonlyMap<number, number>,
) {
  const known = new Set(progress.map(({ output, partition }) => `${partition} ${output}`));
  return partitions.flatMap((partition) =>
    tables
      .filter(({ name }) => !known.has(`${partition} ${name}`))
      .map(({ name, hash }) => ({ output: name, plan: hash, partition, offset: starts.get(partition) ?? 0 })),
  );
}

function checkIdentity(progress: readonly Progress[], { owner, tables }: AssignParts, topic: TopicInfo): void {
  const hashes = new Map(tables.map(({ name, hash }) => [name, hash]));
  for (const { output, uid, plan, topicId } of progress) {
    if (topicId !== topic.topicId) throw new TopicRecreated(topic.name, topicId, topic.topicId);
    if (uid !== owner.uid)
      throw new TableRefused(
        "PipelineReplaced",
        `progress of table ${output} belongs to a pipeline ${owner.pipeline} with uid ${uid}, this one has ${owner.uid}`,
      );
    if (plan !== hashes.get(output))
      throw new TableRefused(
        "TableChanged",
        `progress of table ${output} is of another definition of it: put the definition back, or give the table another name`,
      );
  }
}

async function checkLog(
  cluster: KafkaCluster,
  topic: TopicInfo,
  lanes: readonly Lane[],
  starts: ReadonlyMap<number, number>,
): Promise<void> {
  const ends = await listOffsets(
    cluster,
    topic,
    "latest",
    lanes.map(({ partition }) => partition),
  );
  for (const { partition, offset, tables } of lanes) {
    const start = starts.get(partition) ?? 0;
    if (offset < start)
      throw new OffsetOutOfRange({ topic: topic.name, partition }, offset, start, ends.get(partition) ?? start);
    const epoch = Math.max(...tables.map((table) => table.epoch));
    await verifyPosition(cluster, topic, { partition, offset, epoch });
  }
}
