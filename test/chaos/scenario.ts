/** What a system brings into a round: its stages, what is written meanwhile, and what must be true in the end. */
import type { Fleet } from "./fleet.ts";
import type { Opened, Servers } from "./servers.ts";
import type { FaultKind, FaultOf } from "./src/faults.ts";
import type { Turns } from "./turns.ts";

/** Faults that each system does in its own way, if it has them. */
export type OwnFault = Extract<FaultKind, "table-added" | "partitions-added" | "slot-dropped" | "slot-invalidated">;

export interface Scenario {
  readonly fleets: readonly Fleet[];
  readonly faults: { readonly [Kind in OwnFault]?: (fault: FaultOf<Kind>) => Promise<boolean> };
  /** Writes at the round's rate until its time is over, and as long as faults still go on: many need something to meet. */
  write(faults: Promise<unknown>): Promise<void>;
  /** Records and rows that were written, those of transactions that were undone among them. */
  readonly written: number;
  /**
   * Waits until everything that was written has come through, and ends all workers: what one of them still had in hand
   * would show now.
   */
  settle(seconds: number): Promise<void>;
  judge(): Promise<Verdict>;
}

export interface Verdict {
  readonly violations: readonly string[];
  /** What was read and compared, by what it is. */
  readonly counts: Readonly<Record<string, number>>;
}

/** What a scenario is given. */
export interface Parts {
  readonly servers: Servers;
  readonly turns: Turns;
  readonly opened: Opened;
  /** Told of a process that ended though nobody had asked it to, or of another thing that is never right. */
  readonly onCrash: (what: string, log: string) => void;
}
