/** Times that are all long past: as a rule numbers that count something else than they are read as. */
import type { StreamPipeline } from "@caudal/crds";
import type { PodObservation } from "../observe/observation.ts";
import { type Cause, day } from "./condition.ts";

/** Before it hardly anything was recorded that streams now: a number of seconds, read as milliseconds, is in January 1970. */
const OLD_MS = Date.UTC(1990, 0, 1);
const FUTURE_MS = Date.UTC(2100, 0, 1);

/** Stages tell times only where the spec does not say what numbers in the topic's time count. */
export function oldTimesCause(stage: string, { status }: PodObservation, { spec }: StreamPipeline): Cause[] {
  const { latestTime, reads } = status?.value ?? {};
  const topic = spec.topics.find(({ name }) => name === reads?.topic);
  if (latestTime === undefined || latestTime >= OLD_MS || topic?.timestamp === undefined) return [];
  const asSeconds = latestTime * 1000;
  const guess =
    asSeconds >= OLD_MS && asSeconds < FUTURE_MS
      ? `read as seconds it would be ${day(asSeconds)}: write unit: seconds there`
      : "write there what they count, as unit: seconds";
  return [
    {
      reason: "OldTimes",
      message:
        `stage ${stage}: the times of topic ${topic.name} are before 1990, the latest that was seen is of ` +
        `${day(latestTime)}; numbers in spec.topics[${topic.name}].fields[${topic.timestamp}] ` +
        `are read as milliseconds since 1970: ${guess}, or unit: milliseconds where the times are right; windows and ` +
        "retention go by these times meanwhile",
    },
  ];
}
