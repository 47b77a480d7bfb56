/** Every metric of the workloads: names, help texts and labels are made here and nowhere else. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";

/** What a call to a broker or a database came to. */
export type Outcome = "ok" | "error";

export interface Metrics {
  readonly registry: Registry;
  readonly events: Counter<"topic">;
  readonly batches: Counter;
  readonly bytes: Counter;
  readonly lag: Gauge<"topic" | "partition">;
  readonly undecided: Gauge<"topic" | "partition">;
  readonly commitSeconds: Histogram;
  readonly lateEvents: Counter<"table">;
  readonly expiredEvents: Counter<"table">;
  readonly deadLetters: Counter<"reason">;
  readonly watermark: Gauge<"topic" | "partition">;
  readonly externalCallSeconds: Histogram<"target" | "operation" | "outcome">;
  readonly retentionFloor: Gauge<"table">;
  readonly deletedRows: Counter<"table">;
  readonly finalRows: Counter<"table">;
  readonly emittedRecords: Counter<"topic">;
  readonly sourceHeldBack: Gauge;
  readonly sourceBehind: Gauge;
  readonly sourceRetainedWal: Gauge;
  readonly sourceTruncates: Counter;
  readonly sourceSuperseded: Counter;
  readonly outputRows: Counter<"output">;
  readonly outputLag: Gauge<"output" | "topic" | "partition">;
  readonly commitsLost: Counter<"output" | "topic" | "partition">;
  readonly retries: Counter<"target">;
  readonly rebalances: Counter;
}

/** How often the event loop is looked at: by default it would wake a process at rest a hundred times a second. */
const LOOP_MS = 500;

/** Which process the numbers are of: on every metric. */
export interface MetricLabels {
  readonly namespace: string;
  readonly pipeline: string;
  readonly stage: string;
  readonly role: string;
}

/**
 * A registry with all metrics of a workload.
 *
 * @param withProcess adds Node's own (`process_*`, `nodejs_*`); it observes the event loop until the process ends
 */
export function createMetrics(labels: MetricLabels, withProcess = false): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ ...labels });
  if (withProcess) collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LOOP_MS });
  const registers = [registry];
  const partition = ["topic", "partition"] as const;
  const retries = new Counter({
    name: "caudal_retries_total",
    help: "Calls that failed and were tried again, by target (kafka or postgres).",
    labelNames: ["target"],
    registers,
  });
  // Shown before the first one: a counter that begins above zero hides its first steps from rate().
  for (const target of ["kafka", "postgres"]) retries.inc({ target }, 0);
  return {
    registry,
    events: new Counter({
      name: "caudal_events_total",
      help: "Events handled: counted after their results were committed, or after the broker acknowledged them.",
      labelNames: ["topic"],
      registers,
    }),
    batches: new Counter({
      name: "caudal_batches_total",
      help: "Batches committed (aggregator, transform) or acknowledged (generator).",
      registers,
    }),
    bytes: new Counter({
      name: "caudal_bytes_total",
      help: "Bytes of record batches read from the broker, as they came over the network, or of values written to it.",
      registers,
    }),
    lag: new Gauge({
      name: "caudal_lag_events",
      help: "Offsets between what is committed and the last stable offset, of the partitions that this process owns.",
      labelNames: partition,
      registers,
    }),
    undecided: new Gauge({
      name: "caudal_undecided_seconds",
      help: "Seconds for which one open transaction has kept the records behind it from being read; 0: none does.",
      labelNames: partition,
      registers,
    }),
    commitSeconds: new Histogram({
      name: "caudal_commit_seconds",
      help: "Seconds that one transaction with results and offsets took, from BEGIN to the answer of COMMIT.",
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    }),
    lateEvents: new Counter({
      name: "caudal_late_events_total",
      help: "Events that came after the watermark had passed the end of their window, by table.",
      labelNames: ["table"],
      registers,
    }),
    expiredEvents: new Counter({
      name: "caudal_expired_events_total",
      help: "Events that a table left out because its retention no longer keeps their window.",
      labelNames: ["table"],
      registers,
    }),
    deadLetters: new Counter({
      name: "caudal_dead_letters_total",
      help: "Records sent to the dead-letter topic, by reason; counted after the commit that moved past them.",
      labelNames: ["reason"],
      registers,
    }),
    watermark: new Gauge({
      name: "caudal_watermark_timestamp_seconds",
      help: "Watermark of a partition that this process owns, in seconds since 1970.",
      labelNames: partition,
      registers,
    }),
    externalCallSeconds: new Histogram({
      name: "caudal_external_call_seconds",
      help: "Seconds of one call to a broker or a database, by target, operation and outcome (ok or error).",
      labelNames: ["target", "operation", "outcome"],
      buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    }),
    retentionFloor: new Gauge({
      name: "caudal_retention_floor_timestamp_seconds",
      help: "Windows of the table that end here or before are no longer kept, in seconds since 1970; of the replica that deletes.",
      labelNames: ["table"],
      registers,
    }),
    deletedRows: new Counter({
      name: "caudal_retention_deleted_rows_total",
      help: "Rows that retention has deleted, by table.",
      labelNames: ["table"],
      registers,
    }),
    finalRows: new Counter({
      name: "caudal_final_rows_total",
      help: "Rows that were put into the outbox because their window had become final, by table.",
      labelNames: ["table"],
      registers,
    }),
    emittedRecords: new Counter({
      name: "caudal_emitted_records_total",
      help: "Final rows and revisions that were sent to a topic, counted after Kafka's commit.",
      labelNames: ["topic"],
      registers,
    }),
    sourceHeldBack: new Gauge({
      name: "caudal_source_held_back_seconds",
      help: "Seconds for which one open transaction has kept a source in timestamp mode from going on; 0: none does.",
      registers,
    }),
    sourceBehind: new Gauge({
      name: "caudal_source_behind_bytes",
      help: "Bytes of write-ahead log between what a source in cdc mode has sent and the end of the log.",
      registers,
    }),
    sourceRetainedWal: new Gauge({
      name: "caudal_source_retained_wal_bytes",
      help: "Bytes of write-ahead log that the database keeps on its disk for the source's replication slot.",
      registers,
    }),
    sourceTruncates: new Counter({
      name: "caudal_source_truncates_total",
      help: "TRUNCATEs of a source's table, and partitions that left it, that were passed over (onTruncate: Ignore).",
      registers,
    }),
    sourceSuperseded: new Counter({
      name: "caudal_source_superseded_total",
      help: "Updates without all values in the log, of rows that had changed again before they were read: passed over.",
      registers,
    }),
    outputRows: new Counter({
      name: "caudal_output_rows_total",
      help: "Rows that an output of a transform has committed.",
      labelNames: ["output"],
      registers,
    }),
    outputLag: new Gauge({
      name: "caudal_output_lag_events",
      help: "Offsets between what an output of a transform has committed and the last stable offset, of the partitions that this process reads for it.",
      labelNames: ["output", "topic", "partition"],
      registers,
    }),
    commitsLost: new Counter({
      name: "caudal_commits_lost_total",
      help: "Offsets that a server had acknowledged as committed and then lost, by a failover or a restore: they were done again.",
      labelNames: ["output", ...partition],
      registers,
    }),
    retries,
    rebalances: new Counter({
      name: "caudal_rebalances_total",
      help: "Assignments received from the consumer group.",
      registers,
    }),
  };
}

/** Runs a call to something outside and observes how long it took and how it ended. */
export async function timed<T>(
  metrics: Pick<Metrics, "externalCallSeconds">,
  target: string,
  operation: string,
  call: () => Promise<T>,
): Promise<T> {
  const began = performance.now();
  const observe = (outcome: Outcome): void => {
    metrics.externalCallSeconds.observe({ target, operation, outcome }, (performance.now() - began) / 1000);
  };
  try {
    const result = await call();
    observe("ok");
    return result;
  } catch (error) {
    observe("error");
    throw error;
  }
}
