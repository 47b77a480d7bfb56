/** Says what a server has lost of our commits: once in the log, in numbers in /status and metrics. */
import type { RuntimeContext } from "../runtime/role.ts";
import type { Lost } from "./commit-memory.ts";

/** @param where what has lost them, such as PostgreSQL */
export function tellLost(
  { health, log, metrics }: Pick<RuntimeContext, "health" | "log" | "metrics">,
  where: string,
  topic: string,
  lost: readonly Lost[],
): void {
  for (const { output, partition, from, to } of lost) {
    metrics.commitsLost.inc({ output, topic, partition: String(partition) }, to - from);
    health.lose({ output, topic, partition, from, to });
    log.error(
      { output, topic, partition, from, to, offsets: to - from },
      `${where} has lost commits: these offsets are done again`,
    );
  }
}
