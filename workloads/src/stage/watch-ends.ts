/** Asks where partitions end, whether or not anything is read of them: what is blocked must not look like caught up. */
import type { KafkaCluster } from "../kafka/cluster.ts";
import { listOffsets } from "../kafka/offsets.ts";
import { describeError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/log.ts";
import { pause } from "../runtime/retry.ts";

/** What is told of the answers. */
export interface MeasuredReport {
  /** Those whose place is known. */
  readonly partitions: readonly number[];
  /** By partition, its end for committed reads. */
  ended(ends: ReadonlyMap<number, number>): void;
}

export interface EndsOptions {
  readonly cluster: KafkaCluster;
  readonly topic: string;
  readonly report: MeasuredReport;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const EVERY_MS = 10_000;

/** Goes on until the signal fires; a broker that does not answer is asked again, and what was known stays. */
export async function watchEnds({ cluster, topic, report, log, signal }: EndsOptions): Promise<void> {
  while (!signal.aborted) {
    await pause(EVERY_MS, signal).catch(() => undefined);
    const { partitions } = report;
    if (signal.aborted || partitions.length === 0) continue;
    try {
      report.ended(await listOffsets(cluster, await cluster.topic(topic), "latest", partitions));
    } catch (error) {
      log.debug({ error: describeError(error) }, "the ends of partitions could not be asked for");
    }
  }
}
