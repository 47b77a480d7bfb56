/** What a role is given, and what it promises. */
import type { Tracer } from "@opentelemetry/api";
import type { WorkloadConfig } from "@caudal/crds";
import type { Drain } from "./drain.ts";
import type { Health } from "./health.ts";
import type { Logger } from "./log.ts";
import type { Metrics } from "./metrics.ts";

export interface RuntimeContext {
  readonly config: WorkloadConfig;
  /** metadata.generation of the pipeline in which the configuration was last written; it may grow while the process lives. */
  readonly generation: () => Promise<number>;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly drain: Drain;
  readonly health: Health;
  readonly tracer: Tracer;
}

export interface Role {
  /**
   * Works until draining is asked for, finishes what it has in hand, and returns. It beats while it works or waits.
   *
   * @throws ConfigInvalid for what only the role can check; a WorkloadError that is not retryable for what needs a
   * person; anything else is a bug
   */
  run(context: RuntimeContext): Promise<void>;
}
