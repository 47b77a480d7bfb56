/** Records that a stage has put aside and that nobody expected: how many, why, since when, and where they are to be read. */
import type { StreamPipeline } from "@caudal/crds";
import { readingStagesOf } from "@caudal/pipeline";
import { type Cause, minute } from "./condition.ts";
import type { StageView } from "./stages.ts";

/** Told for this long after the last one. */
const RECENT_MS = 10 * 60_000;
/** The spec says what is late, how long rows are kept, and where such events go. */
const EXPECTED: ReadonlySet<string> = new Set(["LateEvent", "RetentionPassed"]);

interface Letters {
  count: number;
  /** Epoch milliseconds, as the pods have them. */
  since: number;
  at: number;
}

export function deadLetterCause({ stage, pods }: StageView, pipeline: StreamPipeline, clock: number): Cause[] {
  const reasons = new Map<string, Letters>();
  let isRecent = false;
  for (const { status, terminating } of pods) {
    if (terminating || status === undefined) continue;
    for (const { reason, count, since, at } of status.value.letters ?? []) {
      if (EXPECTED.has(reason)) continue;
      const known = reasons.get(reason) ?? { count: 0, since, at };
      reasons.set(reason, {
        count: known.count + count,
        since: Math.min(known.since, since),
        at: Math.max(known.at, at),
      });
      // Both dates are the pod's; what has passed since its heartbeat is ours.
      isRecent ||= status.value.heartbeat - at + clock - status.heartbeatAt <= RECENT_MS;
    }
  }
  if (!isRecent) return [];
  const all = [...reasons].sort(([a], [b]) => (a < b ? -1 : 1));
  const letters = all.map(([, one]) => one);
  const total = letters.reduce((sum, { count }) => sum + count, 0);
  const topic = readingStagesOf(pipeline).find(({ name }) => name === stage.name)?.deadLetterTopic ?? "";
  const { name, namespace } = pipeline.metadata;
  return [
    {
      reason: "DeadLetters",
      message:
        `stage ${stage.name} has put ${about(total)} records aside since ${minute(Math.min(...letters.map(({ since }) => since)))} ` +
        `(${all.map(([reason, { count }]) => `${reason}: ${about(count)}`).join(", ")}), the last at ` +
        `${minute(Math.max(...letters.map(({ at }) => at)))}; they are in no result, and wait in topic ${topic} for 14 days ` +
        `where Caudal made it: caudal sql --namespace ${namespace} ${name} -e 'print ${topic} from beginning limit 10' shows ` +
        "them with what is wrong (caudal-detail); correct who sends them, or the spec, and send them again; docs/bad-input.md " +
        "says what each reason means",
    },
  ];
}

/** Exact while it is small, and then in steps, so that status is not rewritten with every letter. */
function about(count: number): string {
  if (count < 10) return String(count);
  const step = 10 ** Math.floor(Math.log10(count));
  return `${Math.floor(count / step) * step} or more`;
}
