/** What one replica of a stage does for all of them, beside the work on events: the one that holds the stage's lock. */
import type { Connection } from "../postgres/connection.ts";
import type { Owner } from "../postgres/core/table-decision.ts";
import { tryToLead } from "../postgres/housekeeping.ts";
import { backoff, pause } from "../runtime/retry.ts";

export interface Chore {
  readonly name: string;
  /** Does a bounded piece of work. @returns whether there is more to do at once */
  turn(connection: Connection): Promise<boolean>;
  /** This process leads no longer, or stops. */
  end(): void | Promise<void>;
}

export interface HousekeepingOptions {
  readonly owner: Owner;
  readonly open: () => Promise<Connection>;
  readonly chores: readonly Chore[];
  readonly onLead: () => void;
  /** Told of each failure; the work is tried again. @param chore undefined: of the connection that all of them share */
  readonly onProblem: (error: unknown, chore: string | undefined) => void;
  /** The chore has worked: nothing stands in its way. */
  readonly onWorked: (chore: string) => void;
}

const LEAD_MS = 3_000;
const TURN_MS = 500;
/** Between two pieces of work, so that commits have the database to themselves for at least as long. */
const REST_MS = 20;
const HOLD_MS = 200;
const MAX_HOLD_MS = 10_000;

/** Runs the chores in turn for as long as this process leads. */
export class Housekeeping {
  readonly #options: HousekeepingOptions;
  readonly #failures = new Map<Chore, { count: number; until: number }>();

  constructor(options: HousekeepingOptions) {
    this.#options = options;
  }

  /** Works until the signal; it never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted;) {
      const worked = await this.#session(signal);
      failures = worked ? 1 : failures + 1;
      await pause(backoff(failures, HOLD_MS, MAX_HOLD_MS, Math.random), signal).catch(() => undefined);
    }
  }

  /** @returns whether it came to lead */
  async #session(signal: AbortSignal): Promise<boolean> {
    const { owner, open, chores, onLead, onProblem } = this.#options;
    let connection: Connection | undefined;
    let leads = false;
    try {
      connection = await open();
      while (!signal.aborted && !(leads = await tryToLead(connection, owner)))
        await pause(LEAD_MS, signal).catch(() => undefined);
      if (leads) onLead();
      while (!signal.aborted) {
        const began = performance.now();
        const more = await this.#round(connection);
        await pause(more ? REST_MS + performance.now() - began : TURN_MS, signal).catch(() => undefined);
      }
    } catch (error) {
      if (!signal.aborted) onProblem(error, undefined);
    } finally {
      await connection?.close();
      if (leads) for (const chore of chores) await chore.end();
    }
    return leads;
  }

  async #round(connection: Connection): Promise<boolean> {
    let more = false;
    for (const chore of this.#options.chores) {
      const failed = this.#failures.get(chore);
      if (failed !== undefined && performance.now() < failed.until) continue;
      try {
        more = (await chore.turn(connection)) || more;
        this.#failures.delete(chore);
        this.#options.onWorked(chore.name);
      } catch (error) {
        // A lost session is a lost lock. Any other failure is the chore's own: the others go on.
        if (connection.lost) throw error;
        const count = (failed?.count ?? 0) + 1;
        this.#failures.set(chore, {
          count,
          until: performance.now() + backoff(count, HOLD_MS, MAX_HOLD_MS, Math.random),
        });
        this.#options.onProblem(error, chore.name);
      }
    }
    return more;
  }
}
