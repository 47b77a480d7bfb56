/**
 * What is being evaluated now, in a file that outlives the process: an expression may take memory or time that nothing in
 * the process can stop, and the process dies of it. Its next life finds the events and evaluates them in halves, so that
 * after some lives the one that kills stands alone; it is a dead letter then.
 */
import { closeSync, constants, openSync, readFileSync, writeSync } from "node:fs";

/** Events of a partition, by their offsets. */
export interface Range {
  readonly topic: string;
  readonly partition: number;
  readonly first: number;
  readonly last: number;
}

/** A range over which the last life ended. */
interface Suspect extends Range {
  /** Lives that ended while it was one event, and nothing else was evaluated beside it. */
  readonly deaths: number;
}

/** Where rows of a slice come from. */
export interface Origin {
  readonly topic: string;
  readonly partition: number;
  /** Of each row of the slice. */
  offset(row: number): number;
}

/** Rows that are to be evaluated by themselves, and those that are not to be evaluated any more. */
export interface Division {
  readonly runs: readonly Int32Array[];
  readonly condemned: readonly number[];
}

const SLOT_BYTES = 512;
/** Lives that an event may cost: the first end may have had another cause. */
const MAX_DEATHS = 2;
/** What has not come again after so long is another process's now. */
const SUSPECT_MS = 600_000;

export class Flights {
  readonly #fd: number;
  readonly #since = performance.now();
  #suspects: readonly Suspect[];
  /** Whether each is taken. */
  readonly #slots: boolean[] = [];
  #last: Promise<unknown> = Promise.resolve();

  /** @param file of this process and its next lives alone; it is made where there is none */
  constructor(file: string) {
    this.#fd = openSync(file, constants.O_RDWR | constants.O_CREAT, 0o600);
    this.#suspects = read(this.#fd);
  }

  /** A place in the file for one that evaluates. */
  slot(): Flight {
    const free = this.#slots.indexOf(false);
    const slot = free < 0 ? this.#slots.length : free;
    this.#slots[slot] = true;
    return new Flight(this, slot);
  }

  release(slot: number): void {
    this.write(slot, undefined);
    this.#slots[slot] = false;
  }

  get suspects(): readonly Suspect[] {
    if (this.#suspects.length > 0 && performance.now() - this.#since > SUSPECT_MS) this.#suspects = [];
    return this.#suspects;
  }

  /** What the rows have been evaluated for is suspected no more. */
  survived({ topic, partition, first, last }: Range): void {
    this.#suspects = this.#suspects.flatMap((suspect) => {
      if (suspect.topic !== topic || suspect.partition !== partition || suspect.last < first || suspect.first > last)
        return [suspect];
      return suspect.last > last ? [{ ...suspect, first: last + 1 }] : [];
    });
  }

  write(slot: number, entry: Suspect | undefined): void {
    const text = entry === undefined ? "" : JSON.stringify(entry);
    writeSync(this.#fd, text.padEnd(SLOT_BYTES - 1).concat("\n"), slot * SLOT_BYTES);
  }

  /** While there are suspects, one evaluates after the other: then it is certain whose end it was. */
  async inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.suspects.length === 0) return await work();
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return await turn;
  }

  /**
   * Begins this process anew in its place, as if it had died over what one slot evaluates: the only way to end a
   * computation that does not end.
   */
  beginAnew(slot: number): void {
    for (const other of this.#slots.keys()) if (other !== slot) this.write(other, undefined);
    const [, ...args] = process.argv;
    process.execve?.(process.execPath, [process.execPath, ...process.execArgv, ...args]);
  }

  close(): void {
    for (const slot of this.#slots.keys()) this.write(slot, undefined);
    closeSync(this.#fd);
  }
}

/** Of one that evaluates slices, one after the other. */
export class Flight {
  readonly #flights: Flights;
  readonly #slot: number;

  constructor(flights: Flights, slot: number) {
    this.#flights = flights;
    this.#slot = slot;
  }

  /** @param rows of a slice, ascending */
  divide(rows: Int32Array, origin: Origin): Division {
    const suspects = this.#flights.suspects.filter((suspect) => isOf(suspect, origin));
    if (suspects.length === 0 || rows.length === 0) return { runs: [rows], condemned: [] };
    const suspectOf = (row: number) =>
      suspects.find(({ first, last }) => origin.offset(row) >= first && origin.offset(row) <= last);
    const condemned = [...rows].filter((row) => (suspectOf(row)?.deaths ?? 0) >= MAX_DEATHS);
    const groups = Map.groupBy(
      [...rows].filter((row) => !condemned.includes(row)),
      suspectOf,
    );
    const runs = [...groups].flatMap(([suspect, some]) => {
      if (suspect === undefined || some.length < 2) return [some];
      const middle = some.length >>> 1;
      return [some.slice(0, middle), some.slice(middle)];
    });
    return { runs: runs.map((run) => Int32Array.from(run)), condemned };
  }

  /** Evaluates rows, with a note of it in the file. */
  async during<T>(rows: Int32Array, origin: Origin, evaluate: () => Promise<T>): Promise<T> {
    if (rows.length === 0) return await evaluate();
    const { topic, partition } = origin;
    const [first, last] = [origin.offset(rows[0] as number), origin.offset(rows.at(-1) as number)];
    const suspect = this.#flights.suspects.find((one) => isOf(one, origin) && one.first === first && one.last === last);
    const deaths = this.#flights.suspects.length > 0 && first === last ? (suspect?.deaths ?? 0) + 1 : 0;
    return await this.#flights.inTurn(async () => {
      this.#flights.write(this.#slot, { topic, partition, first, last, deaths });
      try {
        return await evaluate();
      } finally {
        this.#flights.write(this.#slot, undefined);
      }
    });
  }

  /** All rows of the slice have been evaluated. */
  survived(rows: Int32Array, { topic, partition, offset }: Origin): void {
    if (rows.length === 0 || this.#flights.suspects.length === 0) return;
    const [first, last] = [offset(rows[0] as number), offset(rows.at(-1) as number)];
    this.#flights.survived({ topic, partition, first, last });
  }

  /** See {@link Flights.beginAnew}. */
  beginAnew(): void {
    this.#flights.beginAnew(this.#slot);
  }

  /** Nothing is evaluated here any more. */
  release(): void {
    this.#flights.release(this.#slot);
  }
}

function isOf(suspect: Range, { topic, partition }: Origin): boolean {
  return suspect.topic === topic && suspect.partition === partition;
}

/**
 * What the last life left. A place that was never written is a hole, and one that it died over is torn: neither says
 * anything, and neither may keep this life from beginning.
 */
function read(fd: number): readonly Suspect[] {
  return readFileSync(fd, "latin1")
    .split(/[\0\n]+/)
    .flatMap((text) => {
      try {
        const entry: unknown = text.trim() === "" ? undefined : JSON.parse(text);
        return isSuspect(entry) ? [entry] : [];
      } catch {
        return [];
      }
    });
}

function isSuspect(entry: unknown): entry is Suspect {
  const { topic, partition, first, last, deaths } = (entry ?? {}) as Partial<Record<keyof Suspect, unknown>>;
  return typeof topic === "string" && [partition, first, last, deaths].every((value) => Number.isSafeInteger(value));
}
