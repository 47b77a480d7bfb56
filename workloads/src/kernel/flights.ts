/**
 * What is being evaluated now, in a file that outlives the process: an expression may take memory or time that nothing in
 * the process can stop, and the process dies of it. Its next life finds the events and evaluates them in halves, so that
 * after some lives the one that kills stands alone; it is a dead letter then.
 */
import { closeSync, constants, openSync, readFileSync, writeSync } from "node:fs";

/** Events of a partition, by the offsets of the first and the last. */
type Range = readonly [partition: number, first: number, last: number];

/** Events over which the last life ended. */
interface Suspect {
  readonly topic: string;
  /** One a partition. */
  readonly ranges: readonly Range[];
  /** Lives that ended while it was one event, and nothing else was evaluated beside it. */
  readonly deaths: number;
}

/** Where rows of a slice come from. */
export interface Origin {
  readonly topic: string;
  /** Of each row of the slice. */
  partition(row: number): number;
  offset(row: number): number;
}

/** Rows that are to be evaluated by themselves, and those that are not to be evaluated any more. */
export interface Division {
  readonly runs: readonly Int32Array[];
  readonly condemned: readonly number[];
}

/** Room for what some dozens of partitions gave: see {@link MAX_RANGES}. */
const SLOT_BYTES = 4096;
/** Partitions whose events may be evaluated together. */
export const MAX_RANGES = 48;
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
  survived(topic: string, survivors: readonly Range[]): void {
    const left = (range: Range): readonly Range[] => {
      const [partition, first, last] = range;
      const done = survivors.find(([other, from, to]) => other === partition && last >= from && first <= to);
      if (done === undefined) return [range];
      return last > done[2] ? [[partition, done[2] + 1, last]] : [];
    };
    this.#suspects = this.#suspects.flatMap((suspect) => {
      if (suspect.topic !== topic) return [suspect];
      const ranges = suspect.ranges.flatMap(left);
      return ranges.length === 0 ? [] : [{ ...suspect, ranges }];
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
    const suspects = this.#flights.suspects.filter(({ topic }) => topic === origin.topic);
    if (suspects.length === 0 || rows.length === 0) return { runs: [rows], condemned: [] };
    const suspectOf = (row: number) => {
      const [of, at] = [origin.partition(row), origin.offset(row)];
      return suspects.find(({ ranges }) =>
        ranges.some(([partition, first, last]) => partition === of && at >= first && at <= last),
      );
    };
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
    const { topic } = origin;
    const ranges = rangesOf(rows, origin);
    const deaths = this.#flights.suspects.length > 0 && rows.length === 1 ? this.#deathsOf(topic, ranges) + 1 : 0;
    return await this.#flights.inTurn(async () => {
      this.#flights.write(this.#slot, { topic, ranges, deaths });
      try {
        return await evaluate();
      } finally {
        this.#flights.write(this.#slot, undefined);
      }
    });
  }

  /** All rows of the slice have been evaluated. */
  survived(rows: Int32Array, origin: Origin): void {
    if (rows.length === 0 || this.#flights.suspects.length === 0) return;
    this.#flights.survived(origin.topic, rangesOf(rows, origin));
  }

  /** Lives that the same range alone has cost. */
  #deathsOf(topic: string, ranges: readonly Range[]): number {
    const same = (one: Suspect) => one.topic === topic && JSON.stringify(one.ranges) === JSON.stringify(ranges);
    return this.#flights.suspects.find(same)?.deaths ?? 0;
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

/** Where the rows come from: those of one partition ascend. */
function rangesOf(rows: Int32Array, { partition, offset }: Origin): readonly Range[] {
  const ranges = new Map<number, [partition: number, first: number, last: number]>();
  let range: [partition: number, first: number, last: number] | undefined;
  for (const row of rows) {
    const of = partition(row);
    if (range?.[0] !== of) range = ranges.get(of);
    if (range === undefined) ranges.set(of, (range = [of, offset(row), 0]));
    range[2] = offset(row);
  }
  return [...ranges.values()];
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
  const { topic, ranges, deaths } = (entry ?? {}) as Partial<Record<keyof Suspect, unknown>>;
  const isRange = (range: unknown) =>
    Array.isArray(range) && range.length === 3 && range.every((value) => Number.isSafeInteger(value));
  return typeof topic === "string" && Number.isSafeInteger(deaths) && Array.isArray(ranges) && ranges.every(isRange);
}
