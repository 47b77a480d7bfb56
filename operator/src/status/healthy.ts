/** Whether events flow: what stages report beyond that they live. */
import { lagOf } from "@caudal/crds";
import type { PodObservation } from "../observe/observation.ts";
import { type Cause, failsFor, type Finding, holds, minute, seconds } from "./condition.ts";
import { deadLetterCause } from "./dead-letters.ts";
import type { Facts } from "./facts.ts";
import { coarse, type StageView, undecidedOf } from "./stages.ts";
import { describeAllLost } from "./lost-topics.ts";
import { oldTimesCause } from "./old-times.ts";
import type { LostTopic } from "./topic-identity.ts";
import { findUnseen } from "./unseen.ts";

/** Lag below this is the ordinary life of a stage. */
const LAG_FLOOR = 1_000;
const LAG_GROWTH = 1.1;
/** Lost commits are told for this long after they were found. */
const LOST_MS = 60 * 60_000;
/** As many of them as a person reads. */
const LOST_PLACES = 6;
/** A watermark this far behind the others holds back what should be final. */
const WATERMARK_BEHIND_MS = 10 * 60_000;

export function findHealthy(facts: Facts, stages: readonly StageView[], lost: readonly LostTopic[]): Finding {
  const { pipeline, clock, now } = facts.observation;
  const gone = lost.length === 0 ? [] : [{ reason: "TopicRecreated", message: describeAllLost(lost, pipeline) }];
  const unseen = findUnseen(facts, "Pod");
  // What was lost is a fact of the past, whatever is seen now.
  if (unseen !== undefined) return gone.length > 0 ? failsFor([...gone, unseen]) : unseen;
  const told = stages.flatMap(({ stage, pods }) =>
    pods.flatMap((pod) => (pod.status === undefined || pod.terminating ? [] : [{ stage: stage.name, pod }])),
  );
  if (told.length === 0 && gone.length > 0) return failsFor(gone);
  if (told.length === 0 && pipeline.spec.suspend)
    return { status: "Unknown", reason: "Suspended", message: "no events flow while the pipeline is suspended" };
  if (told.length === 0) return { status: "Unknown", reason: "NoReports", message: "no stage has told its status yet" };
  const causes = [
    ...gone,
    ...told.flatMap(({ stage, pod }) => lostCause(stage, pod, now)),
    ...told.flatMap(({ stage, pod }) => errorCause(stage, pod)),
    ...stages.flatMap((stage) => lagCause(stage, clock)),
    ...stages.flatMap((stage) => undecidedCause(stage, clock)),
    ...stages.flatMap((stage) => deadLetterCause(stage, pipeline, clock)),
    ...told.flatMap(({ stage, pod }) => watermarkCause(stage, pod)),
    ...told.flatMap(({ stage, pod }) => oldTimesCause(stage, pod, pipeline)),
  ];
  return causes.length > 0 ? failsFor(causes) : holds("EventsFlow", "no stage reports an error or falls behind");
}

function errorCause(stage: string, { name, status }: PodObservation): Cause[] {
  const error = status?.value.error;
  return error === undefined
    ? []
    : [
        {
          reason: error.reason,
          message: `stage ${stage}: Pod/${name}, since ${seconds(error.at)}: ${error.message}; events wait in Kafka meanwhile`,
        },
      ];
}

/** What a server has lost of commits that it had acknowledged, in numbers. */
function lostCause(stage: string, { name, status }: PodObservation, now: number): Cause[] {
  const lost = (status?.value.lost ?? []).filter(({ at }) => now - at <= LOST_MS);
  if (lost.length === 0) return [];
  const places = lost.map(
    ({ output, topic, partition, from, to, offsets, at }) =>
      `${output}: ${offsets} offsets of ${topic}/${partition} (${from} to ${to - 1}) at ${seconds(at)}`,
  );
  const more = places.length > LOST_PLACES ? `, and ${places.length - LOST_PLACES} more partitions` : "";
  return [
    {
      reason: "CommitsLost",
      message:
        `stage ${stage}: Pod/${name} found that the server had lost commits which it had acknowledged, and does them again: ` +
        `${places.slice(0, LOST_PLACES).join(", ")}${more}; look whether a failover or a restore was meant, and let commits ` +
        "wait for a standby (spec.database.cluster.synchronous); docs/delivery.md says what may come twice elsewhere",
    },
  ];
}

function lagCause({ stage, pods }: StageView, clock: number): Cause[] {
  let lag = 0;
  let before = 0;
  for (const { status } of pods) {
    const now = status === undefined ? undefined : lagOf(status.value);
    if (status?.previousLag === undefined || now === undefined) continue;
    lag += now;
    before += status.previousLag;
  }
  if (lag < LAG_FLOOR || lag <= before * LAG_GROWTH) return [];
  return [
    {
      reason: "LagGrowing",
      message:
        `stage ${stage.name} falls behind: ${coarse(lag)} events wait, more than a minute ago, and results are as late as ` +
        `these are old; ${remedyFor({ stage, pods }, clock)}`,
    },
  ];
}

/** What makes a stage faster: a partition is read by one pod. What stands in its way is told by a cause of its own. */
function remedyFor(
  { stage: { role, name, replicas }, pods }: Pick<StageView, "stage" | "pods">,
  clock: number,
): string {
  if (pods.some(({ status }) => status?.value.error !== undefined))
    return "it goes on when the error that its pods report is gone";
  if (undecidedOf(pods, clock).length > 0) return "it goes on when the transaction that is open has ended";
  const place = `spec.${role}s[${name}]`;
  if (role === "source") return `look at the load of its database and give the pod more CPU (${place}.resources)`;
  const partitions = new Set(
    pods.flatMap(({ status }) => status?.value.partitions.map(({ topic, partition }) => `${topic}/${partition}`) ?? []),
  );
  if (replicas >= partitions.size)
    return `raise its ${place}.resources.limits.cpu: there is a pod for each of its ${partitions.size} partitions already`;
  return `raise ${place}.replicas (now ${replicas}, of use up to its ${partitions.size} partitions) or its resources.limits.cpu`;
}

function undecidedCause({ stage, pods }: StageView, clock: number): Cause[] {
  return undecidedOf(pods, clock).map(({ topic, partition, offset, records, since }) => ({
    reason: "TransactionOpen",
    message:
      `stage ${stage.name}: a transaction that began at offset ${offset} of ${topic}/${partition} has been open since ` +
      `${minute(since)} or longer, and nobody can read the records behind it (${coarse(records)}): ` +
      "end its producer, or, where that is gone, the transaction: kafka-transactions.sh --bootstrap-server … abort " +
      `--topic ${topic} --partition ${partition} --start-offset ${offset}`,
  }));
}

function watermarkCause(stage: string, { status }: PodObservation): Cause[] {
  const active = (status?.value.partitions ?? []).flatMap(({ watermark, idle, ...rest }) =>
    watermark === undefined || idle ? [] : [{ watermark, ...rest }],
  );
  const [lowest] = [...active].sort((a, b) => a.watermark - b.watermark);
  const highest = Math.max(...active.map(({ watermark }) => watermark));
  if (lowest === undefined || highest - lowest.watermark < WATERMARK_BEHIND_MS) return [];
  return [
    {
      reason: "WatermarkHeld",
      message:
        `stage ${stage}: partition ${lowest.topic}/${lowest.partition} holds the watermark: its events end at ` +
        `${minute(lowest.watermark)}, those of others are more than ${coarseMinutes(highest - lowest.watermark)} later, and no window ` +
        "after that becomes final; look who sends old events to it; where it is a topic's backlog, it passes by itself",
    },
  ];
}

/** In steps, so that status is not rewritten with every event. */
function coarseMinutes(ms: number): string {
  const hours = Math.floor(ms / 3_600_000);
  return hours >= 24 ? `${Math.floor(hours / 24)} days` : hours >= 1 ? `${hours} hours` : "10 minutes";
}
