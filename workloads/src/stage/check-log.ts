import type { KafkaCluster, TopicInfo } from "../kafka/cluster.ts";
import { OffsetOutOfRange } from "../kafka/errors.ts";
import { listOffsets, verifyPosition } from "../kafka/offsets.ts";
import type { Position } from "./ports.ts";

/**
 * Checks that the log still holds what progress says was read, and what is to be read next.
 *
 * @param starts first offset of each partition
 * @throws OffsetOutOfRange, LogTruncated
 */
export async function checkLog(
  cluster: KafkaCluster,
  topic: TopicInfo,
  positions: readonly Position[],
  starts: ReadonlyMap<number, number>,
): Promise<void> {
  const partitions = positions.map(({ partition }) => partition);
  const ends = await listOffsets(cluster, topic, "latest", partitions);
  for (const position of positions) {
    const { partition, offset } = position;
    const start = starts.get(partition) ?? 0;
    if (offset < start)
      throw new OffsetOutOfRange({ topic: topic.name, partition }, offset, start, ends.get(partition) ?? start);
    await verifyPosition(cluster, topic, position);
  }
}
