/**
 * Watches the slot: its metrics, and the bound on the log that the database keeps for it. A slot that nobody reads fills
 * the database's disk in the end, so when Kafka has taken nothing for a minute and the bound is passed, it is given up.
 */
import type { SourceConfig } from "@caudal/crds";
import type { Connection } from "../../postgres/connection.ts";
import { dropSlot } from "../../postgres/replication.ts";
import { describeError, Drained } from "../../runtime/errors.ts";
import { pause } from "../../runtime/retry.ts";
import type { RuntimeContext } from "../../runtime/role.ts";
import { openConnection } from "../session.ts";
import { readSlot, type SlotState } from "./slot.ts";

const EVERY_MS = 5_000;
const STUCK_MS = 60_000;

export class SlotGuard {
  readonly #context: RuntimeContext;
  readonly #config: SourceConfig;
  #connection: Connection | undefined;
  /** Undefined until this process has read the slot: one that stands by guards nothing. */
  #progressAt: number | undefined;

  constructor(context: RuntimeContext, config: SourceConfig) {
    this.#context = context;
    this.#config = config;
  }

  /** Kafka has taken what there was. */
  progress = (): void => {
    this.#progressAt = performance.now();
  };

  /** Looks at the slot until draining. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        await pause(EVERY_MS, signal);
        await this.#look();
      }
    } catch (error) {
      if (!(error instanceof Drained) && !signal.aborted) throw error;
    } finally {
      await this.#connection?.close();
    }
  }

  async #look(): Promise<void> {
    const { log, metrics } = this.#context;
    const { slot } = this.#config.postgres;
    try {
      if (this.#connection?.lost !== false)
        this.#connection = await openConnection(this.#context, this.#config, "guard");
      const state = await readSlot(this.#connection, slot);
      metrics.sourceRetainedWal.set(state?.retained ?? 0);
      metrics.sourceBehind.set(state?.behind ?? 0);
      if (state !== undefined) await this.#bound(this.#connection, state);
    } catch (error) {
      log.debug({ error: describeError(error) }, "the slot cannot be looked at now");
      const connection = this.#connection;
      this.#connection = undefined;
      await connection?.close().catch(() => undefined);
    }
  }

  async #bound(connection: Connection, { retained, wal }: SlotState): Promise<void> {
    const { health, log } = this.#context;
    const { slot, maxRetainedWalBytes } = this.#config.postgres;
    if (this.#progressAt === undefined || wal === "lost" || retained <= maxRetainedWalBytes) return;
    if (performance.now() - this.#progressAt < STUCK_MS) return;
    await dropSlot(connection, slot);
    const message = `the database kept ${retained} bytes of log for the replication slot ${slot}, more than maxRetainedWal, and Kafka took nothing for a minute: the slot was given up to save the database's disk; raise postgres.resync when Kafka is back`;
    log.error({ slot, retained }, message);
    health.setError("SlotGivenUp", message, "slot");
  }
}
