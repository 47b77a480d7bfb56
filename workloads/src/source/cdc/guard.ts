/**
 * Watches the slot: what metrics and /status say of it, and the bound on the log that the database keeps for it. A slot
 * that nobody reads fills the database's disk in the end: above half of the bound this is told, and above the bound the
 * slot is given up when Kafka has taken nothing for a minute.
 */
import type { SourceConfig } from "@caudal/crds";
import type { Connection } from "../../postgres/connection.ts";
import { dropSlot } from "../../postgres/replication.ts";
import { describeError, Drained } from "../../runtime/errors.ts";
import { pause } from "../../runtime/retry.ts";
import type { RuntimeContext } from "../../runtime/role.ts";
import { openConnection } from "../session.ts";
import { readSlot, type SlotState } from "./slot.ts";

const EVERY_MS = 10_000;
const STUCK_MS = 60_000;
/** Part of the bound above which a person should know. */
const TOLD_ABOVE = 0.5;
const WORK = "slot";

export class SlotGuard {
  readonly #context: RuntimeContext;
  readonly #config: SourceConfig;
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
    }
  }

  /** In a session of its own, which does not hold up a server that is told to stop when its sessions have ended. */
  async #look(): Promise<void> {
    const { health, log, metrics } = this.#context;
    const { slot } = this.#config.postgres;
    let connection: Connection | undefined;
    try {
      connection = await openConnection(this.#context, this.#config, "guard");
      const state = await readSlot(connection, slot);
      const { wal = "none", retained = 0, behind = 0 } = state ?? {};
      metrics.sourceRetainedWal.set(retained);
      metrics.sourceBehind.set(behind);
      health.setSlot({ wal, retained, behind });
      if (state !== undefined) await this.#bound(connection, state);
    } catch (error) {
      log.debug({ error: describeError(error) }, "the slot cannot be looked at now");
    } finally {
      await connection?.close();
    }
  }

  async #bound(connection: Connection, { retained, wal }: SlotState): Promise<void> {
    const { health, log } = this.#context;
    const { slot, maxRetainedWalBytes } = this.#config.postgres;
    // A slot that is lost keeps nothing, and is told of by who wants to read it.
    if (this.#progressAt === undefined || wal === "lost") return;
    const stuck = performance.now() - this.#progressAt >= STUCK_MS;
    if (stuck && retained > maxRetainedWalBytes) {
      await dropSlot(connection, slot);
      const message = `the database kept ${retained} bytes of log for the replication slot ${slot}, more than maxRetainedWal, and Kafka took nothing for a minute: the slot was given up to save the database's disk; raise postgres.resync when Kafka is back`;
      log.error({ slot, retained }, message);
      health.setError("SlotGivenUp", message, WORK);
      return;
    }
    const told = this.#told(retained, wal, stuck);
    if (told === undefined) health.clearError(WORK);
    else health.setError("WalRetained", told, WORK);
  }

  #told(retained: number, wal: string, stuck: boolean): string | undefined {
    const { slot, maxRetainedWalBytes } = this.#config.postgres;
    if (wal === "unreserved")
      return `the server is about to remove log that the replication slot ${slot} needs (max_slot_wal_keep_size), and the slot is lost then: raise that setting until the source has caught up`;
    if (retained <= TOLD_ABOVE * maxRetainedWalBytes) return undefined;
    const bound = `maxRetainedWal (${Math.round(maxRetainedWalBytes / 2 ** 20)} MiB)`;
    const why = stuck
      ? "Kafka takes nothing, and above that bound the slot is given up"
      : "the source has more to send than it can, or a transaction has been open in the database for long";
    return `the database keeps more than half of ${bound} of log for the replication slot ${slot}: ${why}; see that its disk has room`;
  }
}
