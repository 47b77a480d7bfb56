/** An upstream that writes in transactions and aborts some of them: what it aborts must never be counted. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Kafka } from "kafkajs";
import { random } from "./faults.ts";

export interface Produced {
  committed: number;
  aborted: number;
}

/**
 * Sends `transactions` transactions of `events` events each and aborts every `abortEvery`-th. A transaction that fails,
 * because the broker is being restarted, is given up and followed by the next: an event of unknown outcome is in the topic or not,
 * and the topic is what the tables are compared with.
 */
export async function produceTransactions(
  kafka: Kafka,
  topic: string,
  options: { transactions: number; events: number; abortEvery: number; pauseMs: number; seed: number },
): Promise<Produced> {
  const next = random(options.seed + 1);
  const produced: Produced = { committed: 0, aborted: 0 };
  for (let index = 0; index < options.transactions; index++) {
    const abort = index % options.abortEvery === 0;
    const messages = Array.from({ length: options.events }, (_, event) => ({
      key: `t${event}`,
      value: JSON.stringify({
        user_id: abort ? "aborted" : `t${Math.floor(next() * 50)}`,
        event_type: "view",
        event_ts: Date.parse("2026-01-01T00:00:00Z") + Math.floor(next() * 200_000),
        amount: Math.floor(next() * 1000),
        waiting_time_ms: null,
      }),
    }));
    const producer = kafka.producer({
      transactionalId: `caudal-e2e-${topic}`,
      maxInFlightRequests: 1,
      idempotent: true,
      transactionTimeout: 30_000,
    });
    try {
      await producer.connect();
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages });
      if (abort) {
        await transaction.abort();
        produced.aborted++;
      } else {
        await transaction.commit();
        produced.committed++;
      }
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      console.log(`transaction ${index} was given up: ${error.message}`);
    } finally {
      await producer.disconnect();
    }
    await sleep(options.pauseMs);
  }
  return produced;
}
