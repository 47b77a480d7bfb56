/** What a workload answers on GET /status: its heartbeat. The operator asks; nobody else needs to. */
import { type Static, Type } from "typebox";
import { Value } from "typebox/value";

export const STAGE_STATES = ["Starting", "Running", "Draining", "Completed", "Failed"] as const;
export type StageState = (typeof STAGE_STATES)[number];

/** Within what JSON, JavaScript and the API server's int64 all hold, also of many together: a pod may be anybody's program. */
const MOST = 2 ** 52;
const Count = Type.Integer({ minimum: -MOST, maximum: MOST });
const Bytes = Type.Number({ minimum: -MOST, maximum: MOST });
/** As long as Kafka has them, and the status takes them. */
const TopicName = Type.String({ maxLength: 249 });
const TopicId = Type.String({ maxLength: 64 });
/** Epoch milliseconds that are a date. */
const Time = Type.Number({ minimum: -8.64e15, maximum: 8.64e15 });

export const StageStatus = Type.Object({
  /** Generation of the pipeline that the workload runs. */
  generation: Count,
  state: Type.Enum(STAGE_STATES),
  /** Epoch milliseconds at which the main loop last went round. */
  heartbeat: Time,
  /** Events handled (committed or acknowledged) since the process began. */
  events: Count,
  deadLetters: Count,
  /** Of them, how many for which reason, since when and when last: epoch milliseconds. */
  letters: Type.Optional(Type.Array(Type.Object({ reason: Type.String(), count: Count, since: Time, at: Time }))),
  lateEvents: Count,
  /** The topic that is read, with its id, in Kafka's form, as the brokers have it. */
  reads: Type.Optional(Type.Object({ topic: TopicName, topicId: TopicId })),
  /** Another topic that was read under the same name since the process began, and how it was known last. */
  replaced: Type.Optional(
    Type.Object({
      topic: TopicName,
      topicId: TopicId,
      places: Type.Array(Type.Object({ partition: Count, nextOffset: Count, endOffset: Count })),
    }),
  ),
  /** Of the partitions that this pod owns, to the last stable offset. */
  partitions: Type.Array(
    Type.Object({
      topic: Type.String(),
      partition: Count,
      nextOffset: Count,
      endOffset: Count,
      /** Epoch milliseconds. */
      watermark: Type.Optional(Type.Number()),
      idle: Type.Boolean(),
      /** Records behind a transaction that has not ended: `offset` is where it began, since when it is known in epoch ms. */
      undecided: Type.Optional(Type.Object({ offset: Count, records: Count, since: Time })),
    }),
  ),
  /** Why it is not known how much waits, where it is not: `partitions` then say nothing of it. */
  lagUnknown: Type.Optional(Type.String()),
  /** Of a source in cdc mode: its replication slot, in bytes of write-ahead log. */
  slot: Type.Optional(
    Type.Object({
      /** As pg_replication_slots.wal_status says: reserved, extended, unreserved or lost; none where there is no slot. */
      wal: Type.String(),
      retained: Bytes,
      behind: Bytes,
    }),
  ),
  /** Of a transform: what its outputs get, as inferred from its SQL; types of PostgreSQL. */
  columns: Type.Optional(Type.Array(Type.Object({ name: Type.String(), type: Type.String() }))),
  /** Commits that a server had acknowledged and then lost since the process began: offsets [from, to) are done again. */
  lost: Type.Optional(
    Type.Array(
      Type.Object({
        output: Type.String(),
        topic: Type.String(),
        partition: Count,
        from: Count,
        to: Count,
        /** How many offsets, over all times. */
        offsets: Count,
        /** Epoch milliseconds of the last time. */
        at: Time,
      }),
    ),
  ),
  /**
   * The latest of the event times that were looked at now and then, epoch milliseconds; only where the spec does not say
   * what numbers in the topic's time count.
   */
  latestTime: Type.Optional(Type.Number()),
  /** The last error that still stands: reason is CamelCase, message says the next step. */
  error: Type.Optional(Type.Object({ reason: Type.String(), message: Type.String(), at: Time })),
});
export type StageStatus = Static<typeof StageStatus>;

/** What a pod answered, or undefined where that is not of this form. */
export function readStageStatus(answer: unknown): StageStatus | undefined {
  return Value.Check(StageStatus, answer) ? answer : undefined;
}

/** Events to the last stable offset that a pod's partitions still hold; undefined where that is not known. */
export function lagOf(status: StageStatus): number | undefined {
  if (status.lagUnknown !== undefined) return undefined;
  return status.partitions.reduce((sum, { nextOffset, endOffset }) => sum + Math.max(0, endOffset - nextOffset), 0);
}
