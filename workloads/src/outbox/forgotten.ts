/** Whoever sends the outbox ends the transactions of its writers that brokers have forgotten. */
import type { Logger } from "pino";
import type { KafkaCluster } from "../kafka/cluster.ts";
import { endForgotten, LOOK_MS, tellEnded, type Writers } from "../kafka/forgotten.ts";

export interface ForgottenOptions {
  readonly cluster: KafkaCluster;
  readonly writers: Writers;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export class Forgotten {
  readonly name = "transactions";
  readonly #options: ForgottenOptions;
  #looked = -Infinity;

  constructor(options: ForgottenOptions) {
    this.#options = options;
  }

  async turn(): Promise<boolean> {
    const { cluster, writers, log, signal } = this.#options;
    if (performance.now() - this.#looked < LOOK_MS) return false;
    this.#looked = performance.now();
    tellEnded(log, await endForgotten(cluster, writers, signal));
    return false;
  }

  end(): void {
    this.#looked = -Infinity;
  }
}
