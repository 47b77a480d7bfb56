/** Where a partition begins and ends, and where a leader epoch ended. */
import { listOffsetsV7, offsetForLeaderEpochV4 } from "@platformatic/kafka";
import type { KafkaCluster, PartitionInfo, TopicInfo } from "./cluster.ts";
import { KafkaUnavailable, LogTruncated, TopicMissing } from "./errors.ts";
import { Code, protocolError, withCodes } from "./protocol-errors.ts";

const CLIENT = -1;
const READ_COMMITTED = 1;
const timestamps = { earliest: -2n, latest: -1n } as const;

/**
 * The first offset of each partition (`earliest`), or its last stable offset (`latest`): the end for committed reads.
 *
 * @returns one entry for each partition of the topic, or of `only`
 * @throws KafkaUnavailable when a leader is missing or has moved: fetch the topic again and retry
 */
export async function listOffsets(
  cluster: KafkaCluster,
  topic: TopicInfo,
  which: keyof typeof timestamps,
  only?: readonly number[],
): Promise<Map<number, number>> {
  const wanted = topic.partitions.filter(({ partition }) => only === undefined || only.includes(partition));
  const leaders = Map.groupBy(wanted, ({ leader }) => leader);
  const offsets = new Map<number, number>();
  await Promise.all(
    [...leaders].map(async ([leader, partitions]) => {
      requireLeader(topic, leader, partitions);
      const request = {
        name: topic.name,
        partitions: partitions.map(({ partition, leaderEpoch }) => ({
          partitionIndex: partition,
          currentLeaderEpoch: leaderEpoch,
          timestamp: timestamps[which],
        })),
      };
      const response = await cluster.call(
        leader,
        "control",
        "list_offsets",
        async (connection) => await withCodes(listOffsetsV7.api.async(connection, CLIENT, READ_COMMITTED, [request])),
      );
      for (const { partitionIndex, errorCode, offset } of response.topics.flatMap((answer) => answer.partitions)) {
        if (errorCode !== Code.None) throw protocolError(errorCode, `offsets of ${topic.name}/${partitionIndex}`);
        offsets.set(partitionIndex, Number(offset));
      }
    }),
  );
  return offsets;
}

/**
 * Checks that what was read up to `offset`, last in `epoch`, is still what the leader's log holds (KIP-320).
 *
 * @param epoch leader epoch of the last batch read; a negative one cannot be checked and passes
 * @throws LogTruncated; KafkaUnavailable when the leader is missing or has moved
 */
export async function verifyPosition(
  cluster: KafkaCluster,
  topic: TopicInfo,
  position: { readonly partition: number; readonly offset: number; readonly epoch: number },
): Promise<void> {
  const { partition, offset, epoch } = position;
  if (epoch < 0) return;
  const info = topic.partitions.find((candidate) => candidate.partition === partition);
  if (info === undefined) throw new TopicMissing(`topic ${topic.name} has no partition ${partition}`);
  requireLeader(topic, info.leader, [info]);
  const request = {
    name: topic.name,
    partitions: [{ partitionIndex: partition, currentLeaderEpoch: info.leaderEpoch, leaderEpoch: epoch }],
  };
  const response = await cluster.call(
    info.leader,
    "control",
    "offset_for_leader_epoch",
    async (connection) => await withCodes(offsetForLeaderEpochV4.api.async(connection, CLIENT, [request])),
  );
  const end = response.topics[0]?.partitions[0];
  if (end === undefined) throw new KafkaUnavailable(`${topic.name}/${partition}: an answer without the partition`);
  if (end.errorCode !== Code.None) throw protocolError(end.errorCode, `epoch of ${topic.name}/${partition}`);
  // The leader answers for the epoch that metadata gave it, so none can be newer than that.
  const ahead = epoch > info.leaderEpoch;
  // -1: the epoch is older than all that the leader still knows, so retention has passed it: the fetch will say so.
  const cut = end.endOffset >= 0n && (end.leaderEpoch < epoch || Number(end.endOffset) < offset);
  if (ahead || cut) throw new LogTruncated({ topic: topic.name, partition }, offset, epoch, Number(end.endOffset));
}

function requireLeader(topic: TopicInfo, leader: number, partitions: readonly PartitionInfo[]): void {
  if (leader >= 0) return;
  const names = partitions.map(({ partition }) => `${topic.name}/${partition}`).join(", ");
  throw new KafkaUnavailable(`${names} has no leader now`);
}
