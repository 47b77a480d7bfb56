/** The replication slot of a source: how it is lost, and the way on that the source's own message tells. */
import type { WorkloadConfig } from "@caudal/crds";
import { poll } from "../../cluster/host/poll.ts";
import type { Topic } from "../../engine/aggregator/topic.ts";
import type { Database } from "../../engine/postgres.ts";
import { dropSlot, invalidateSlot } from "../../engine/source/lose-slot.ts";
import type { Fleet } from "../fleet.ts";
import type { Parts } from "../scenario.ts";

/** What the topic and the dead letters hold while there was one slot. */
export interface SlotTime {
  /** By partition, where the next slot's records begin; undefined while this is the last one. */
  readonly records: ReadonlyMap<number, number> | undefined;
  readonly letters: ReadonlyMap<number, number> | undefined;
  /** The slot has all changes of this transaction and of later ones. */
  readonly from: bigint;
}

export interface SlotOptions {
  readonly fleet: Fleet;
  readonly config: WorkloadConfig;
  readonly database: Database;
  readonly topic: Topic;
  readonly letters: Topic;
  readonly parts: Pick<Parts, "turns" | "onCrash">;
}

/** Until the source has noticed, and has said so. */
const NOTICE_SECONDS = 120;
const ANEW_SECONDS = 120;

export class Slot {
  readonly #options: SlotOptions;
  readonly #name: string;
  readonly #over: SlotTime[] = [];
  /** Sum of the topic's ends when the slot that is there was not yet made. */
  #begin = 0;
  #made: Promise<bigint> | undefined;
  #resync = 0;
  lost = false;

  constructor(options: SlotOptions) {
    this.#options = options;
    this.#name = options.config.source?.postgres.slot ?? "";
  }

  /** Waits for the first records of the slot. @returns the transaction from which on it has every change */
  async made(): Promise<bigint> {
    this.#made ??= this.#first();
    return await this.#made;
  }

  /** All times so far, the one that lasts among them. */
  async times(): Promise<readonly SlotTime[]> {
    return [...this.#over, { records: undefined, letters: undefined, from: await this.made() }];
  }

  /** Takes the slot away, waits for the source to say so, and does what it asks for. @returns false while it is being lost already */
  async lose(how: "dropped" | "invalidated"): Promise<boolean> {
    const { fleet, parts, database, topic, letters } = this.#options;
    const from = await this.made();
    if (this.lost) return false;
    this.lost = true;
    try {
      const lose = async (): Promise<unknown> =>
        how === "dropped" ? await dropSlot(database, this.#name) : await this.#invalidate();
      await parts.turns.alone("postgres", lose);
      const message = await this.#said();
      for (const part of [this.#name, `raise postgres.resync (now ${this.#resync})`])
        if (!message.includes(part)) parts.onCrash(`the message of a lost slot does not say "${part}"`, message);
      const ends = { records: await topic.seal(), letters: await letters.seal() };
      this.#over.push({ ...ends, from });
      this.#begin = sumOf(ends.records.values());
      this.#made = undefined;
      await fleet.roll(this.#anew());
      await this.made();
      return true;
    } finally {
      this.lost = false;
    }
  }

  /** The configuration as its owner changes it. */
  #anew(): WorkloadConfig {
    const { config } = this.#options;
    this.#resync++;
    if (config.source === undefined) return config;
    const postgres = { ...config.source.postgres, resync: this.#resync };
    return { ...config, source: { ...config.source, postgres } };
  }

  async #first(): Promise<bigint> {
    const { topic, database, fleet } = this.#options;
    const begun = async (): Promise<bigint | undefined> => {
      const offsets = await topic.admin.fetchTopicOffsets(topic.name);
      // The place of a slot is kept before the first record that it gives is sent.
      if (sumOf(offsets.map(({ high }) => Number(high))) <= this.#begin) return undefined;
      const [row] = await database.query<{ next: string }>(
        "select pg_snapshot_xmax(pg_current_snapshot())::text as next",
      );
      return row === undefined ? undefined : BigInt(row.next);
    };
    return await poll(async () => await begun().catch(() => undefined), {
      seconds: ANEW_SECONDS,
      everyMs: 200,
      onTimeout: async () => `the source sends nothing:\n${await fleet.describe()}`,
    });
  }

  /** What the source says of the loss in its status, where its operator looks. */
  async #said(): Promise<string> {
    const { fleet } = this.#options;
    const told = async (): Promise<string | undefined> => {
      for (const { worker } of fleet.replicas) {
        const status = await worker?.status().catch(() => undefined);
        if (status?.error?.reason === "SlotLost" && status.state === "Failed") return status.error.message;
      }
      return undefined;
    };
    return await poll(told, {
      seconds: NOTICE_SECONDS,
      everyMs: 200,
      onTimeout: async () => `the slot is lost, and no status says so:\n${await fleet.describe()}`,
    });
  }

  /** Nobody reads it meanwhile. */
  async #invalidate(): Promise<void> {
    const { database, fleet } = this.#options;
    const workers = fleet.replicas.flatMap(({ worker, stopped }) => (worker === undefined || stopped ? [] : [worker]));
    for (const worker of workers) worker.signal("SIGSTOP");
    try {
      await invalidateSlot(database, this.#name);
    } finally {
      for (const worker of workers) worker.signal("SIGCONT");
    }
  }
}

function sumOf(numbers: Iterable<number>): number {
  return [...numbers].reduce((sum, number) => sum + number, 0);
}
