/** From partitions to lanes: where each table stands, checked against the log before anything is read. */
import type { KafkaCluster } from "../kafka/cluster.ts";
import { listOffsets } from "../kafka/offsets.ts";
import type { Connection } from "../postgres/connection.ts";
import type { Owner } from "../postgres/core/table-decision.ts";
import { readPlaces, readWaiting } from "../postgres/places.ts";
import { readIncarnations } from "../postgres/claims.ts";
import type { MoveScope } from "../postgres/progress.ts";
import type { TablePlan } from "@caudal/pipeline/sql";
import { checkLog } from "../stage/check-log.ts";
import type { CommitMemory, Lost } from "../stage/commit-memory.ts";
import { type Lane, planLanes } from "./core/lanes.ts";

export interface AssignParts {
  readonly cluster: KafkaCluster;
  readonly control: Connection;
  readonly owner: Owner;
  readonly topic: string;
  readonly tables: readonly TablePlan[];
  /** Names of tables that may not be written. */
  readonly refused: readonly string[];
  readonly memory: CommitMemory;
  /** Ids of topics of which a person has said that they are gone. */
  readonly lost: readonly string[];
  /** Told which topic has the name now. */
  readonly onTopic: (topicId: string) => void;
  /** Told of commits that progress does not have any more. */
  readonly onLost: (lost: readonly Lost[]) => void;
}

export interface Assignment {
  readonly scope: MoveScope;
  readonly lanes: readonly Lane[];
  /** Where the assigned partitions end for committed reads. */
  readonly ends: ReadonlyMap<number, number>;
  /** Of the whole topic, not only of those assigned. */
  readonly partitionCount: number;
  /** By partition, from where on a table waits that may not be written. */
  readonly waiting: ReadonlyMap<number, number>;
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
  parts.onTopic(topic.topicId);
  const scope: MoveScope = { owner, topic: topic.name, topicId: topic.topicId, lost: parts.lost };
  const base = { scope, partitionCount: topic.partitions.length };
  if (partitions.length === 0) return { ...base, lanes: [], ends: new Map(), waiting: new Map() };
  const names = tables.map(({ name }) => name);
  const starts = await listOffsets(cluster, topic, "earliest", partitions);
  const progress = await readPlaces(control, scope, tables, starts);
  const incarnations = await readIncarnations(control, names);
  parts.onLost(
    parts.memory.compare(
      progress.map(({ output, partition, nextOffset: offset }) => ({
        ...{ output, partition, offset },
        incarnation: incarnations.get(output) ?? "",
      })),
    ),
  );
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
  const ends = await listOffsets(cluster, topic, "latest", partitions);
  return { ...base, lanes, ends, waiting: await readWaiting(control, scope, parts.refused, starts) };
}
