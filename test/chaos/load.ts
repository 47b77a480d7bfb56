/** What is written to the topic while faults happen: disorder, late and doubled events, poison, aborted transactions. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Event, makeEvents } from "../engine/aggregator/events.ts";
import type { Poison } from "../engine/aggregator/poison.ts";
import type { Sent, Topic } from "../engine/aggregator/topic.ts";
import { Dice } from "./src/dice.ts";
import type { Round } from "./src/schedule.ts";

type LoadRound = Pick<Round, "seed" | "seconds" | "partitions" | "eventsPerSecond">;

/** Says in the log what must become of a record that is no event. */
export const EXPECTED_REASON = "chaos-reason";
/** A user that nobody but a constraint of the database does not let in. */
export const REFUSED_USER = "refused";

export interface LoadOptions {
  /** Whether there are records that only the database refuses. */
  readonly refusals: boolean;
  /** Records that the stage can make no events of. */
  readonly poison: readonly Poison[];
}

const TICK_MS = 100;
const HOUR_MS = 3_600_000;

export class Load {
  readonly #round: LoadRound;
  readonly #topic: Topic;
  readonly #dice: Dice;
  readonly #options: LoadOptions;
  #made = 0;
  #sent = 0;
  #tick = 0;
  #transaction: Promise<void> | undefined;
  /** Transactions, by how they ended. */
  readonly counts = { transactions: 0, abortedTransactions: 0, unknownTransactions: 0 };

  constructor(round: LoadRound, topic: Topic, options: LoadOptions) {
    this.#round = round;
    this.#topic = topic;
    this.#options = options;
    this.#dice = new Dice(round.seed, "load");
  }

  /** Records that were sent, aborted ones among them. */
  get sent(): number {
    return this.#sent;
  }

  /**
   * Writes at the round's rate until its time is over, and as long as faults still go on: many need something to meet.
   * What Kafka does not take at once is sent again.
   */
  async run(faults: Promise<unknown>): Promise<void> {
    const began = performance.now();
    let over = false;
    const end = (): void => void (over = true);
    faults.then(end, end);
    for (;;) {
      const elapsed = performance.now() - began;
      if (over && elapsed >= this.#round.seconds * 1000) break;
      const due = Math.floor((elapsed / 1000) * this.#round.eventsPerSecond) - this.#made;
      // After an outage, no more than a few seconds' worth is made up for.
      if (due > 0) await this.#send(Math.min(due, this.#round.eventsPerSecond));
      await sleep(TICK_MS);
    }
    await this.#transaction;
    await this.#closeTransactions();
  }

  async #send(count: number): Promise<void> {
    const tick = this.#tick++;
    const values = this.#values(count);
    const { chance, whole } = { chance: (p: number) => this.#dice.chance(p), whole: this.#dice.whole.bind(this.#dice) };
    // Thrown each time, so that what follows does not depend on how long a transaction took.
    const [inTransaction, aborts, holdMs] = [chance(0.2), chance(0.5), chance(0.2) ? whole(500, 4_000) : 0];
    const toOne = chance(0.15);
    if (inTransaction && this.#transaction === undefined) {
      const running = this.#inTransaction(values, aborts ? "abort" : "commit", holdMs);
      this.#transaction = running.finally(() => (this.#transaction = undefined));
      return;
    }
    await this.#topic.send(values, toOne ? tick % this.#round.partitions : undefined);
  }

  async #inTransaction(values: readonly Sent[], end: "commit" | "abort", holdMs: number): Promise<void> {
    try {
      await this.#topic.transaction(values, end, holdMs);
      this.counts[end === "commit" ? "transactions" : "abortedTransactions"]++;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.counts.unknownTransactions++; // the broker went away; the log says what became of it
    }
  }

  /** A transaction that is left open would hold up committed reads: the next one of its writer ends it. */
  async #closeTransactions(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#topic.transaction(this.#values(10), "commit");
      } catch (error) {
        if (attempt === 20) throw error;
        await sleep(500);
      }
    }
  }

  #values(count: number): Sent[] {
    const values: Sent[] = [];
    for (const event of makeEvents(this.#round.seed, count, this.#made)) values.push(...this.#valuesFor(event));
    this.#made += count;
    this.#sent += values.length;
    return values;
  }

  #valuesFor(event: Event): Sent[] {
    const luck = this.#dice.unit();
    if (luck < 0.002) return [this.#poison(), JSON.stringify(event)];
    if (luck < 0.003 && this.#options.refusals) return this.#dice.chance(0.1) ? [refused(event)] : [];
    if (luck < 0.02) return [JSON.stringify(this.#late(event))];
    if (luck < 0.03) return [JSON.stringify(event), JSON.stringify(event)];
    return [JSON.stringify(event)];
  }

  #late(event: Event): Event {
    const late = Date.parse(event.event_ts) - this.#dice.whole(60_000, HOUR_MS);
    return { ...event, event_ts: new Date(late).toISOString() };
  }

  #poison(): Sent {
    // The megabyte is dear: seldom.
    const { poison } = this.#options;
    const kinds = this.#dice.chance(0.02) ? poison : poison.filter(({ value }) => (value?.length ?? 0) < 100_000);
    const { value, reason } = kinds[this.#dice.whole(0, kinds.length - 1)] ?? { value: null, reason: "Tombstone" };
    return { value, headers: { [EXPECTED_REASON]: reason } };
  }
}

function refused(event: Event): Sent {
  const value = JSON.stringify({ ...event, user_id: REFUSED_USER, event_type: "view" });
  return { value, headers: { [EXPECTED_REASON]: "RefusedByDatabase" } };
}
