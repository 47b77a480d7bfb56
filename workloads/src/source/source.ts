/**
 * The source: sends the rows of a table, and their changes, to a topic. How far it is goes into the same transaction of
 * Kafka as the records, so that whoever goes on, after whatever has happened, neither misses nor repeats a row.
 */
import { consumerGroup } from "@caudal/crds";
import { KafkaCluster } from "../kafka/cluster.ts";
import { ConfigInvalid, describeError, Drained, reasonOf } from "../runtime/errors.ts";
import { FailureLog } from "../runtime/failure-log.ts";
import { backoff, isRetryable, pause } from "../runtime/retry.ts";
import type { Role, RuntimeContext } from "../runtime/role.ts";
import { SlotGuard } from "./cdc/guard.ts";
import { replicate } from "./cdc/replicate.ts";
import { type Session, withSession } from "./session.ts";
import { pollTable } from "./timestamp/poll.ts";

const FIRST_MS = 100;
const MOST_MS = 5_000;
/** A session that lasted so long was a good one. */
const GOOD_MS = 30_000;

export const sourceRole: Role = {
  async run(context) {
    const config = context.config.source;
    if (config === undefined) throw new ConfigInvalid('the configuration has no "source"');
    const { drain, health, metrics } = context;
    const cluster = new KafkaCluster(context.config.kafka, { clientId: consumerGroup(context.config), metrics });
    health.setReady(false, "connecting");
    let failures = 0;
    const failureLog = new FailureLog(context.log);
    const guard = new SlotGuard(context, config);
    const cdc = config.postgres.mode === "cdc";
    const work = cdc ? async (session: Session) => await replicate(session, guard.progress) : pollTable;
    const over = new AbortController();
    const guarding = cdc ? guard.run(AbortSignal.any([drain.signal, over.signal])) : undefined;
    try {
      while (!drain.requested) {
        const began = performance.now();
        try {
          await withSession(context, config, cluster, work);
        } catch (error) {
          if (error instanceof Drained) return;
          if (!isRetryable(error)) throw error;
          const wasGood = performance.now() - began > GOOD_MS;
          failures = wasGood ? 1 : failures + 1;
          if (wasGood) failureLog.clear();
          failureLog.note(error);
          show(context, error, failureLog.isToShow(error));
          await pause(backoff(failures, FIRST_MS, MOST_MS, Math.random), drain.signal);
        }
      }
    } catch (error) {
      if (!(error instanceof Drained)) throw error;
    } finally {
      over.abort();
      await guarding;
      await cluster.close();
    }
  },
};

function show({ health, metrics }: RuntimeContext, error: unknown, asError: boolean): void {
  const reason = reasonOf(error);
  health.beat();
  if (asError) health.setError(reason, describeError(error));
  metrics.retries.inc({ target: reason.startsWith("Database") ? "postgres" : "kafka" });
}
