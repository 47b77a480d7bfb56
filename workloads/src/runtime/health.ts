/** What a workload says of itself: alive, ready, and the stage's status that the operator asks for. */
import { type StageState, type StageStatus, topicIdText } from "@caudal/crds";

type LostCommits = NonNullable<StageStatus["lost"]>[number];
type PartitionStatus = StageStatus["partitions"][number];

/** A heartbeat older than this says that the main loop hangs. Back-off loops beat too, so outages never look like it. */
export const HEARTBEAT_LIMIT_MS = 60_000;

export interface Counts {
  readonly events?: number;
  /** The reason of each dead letter. */
  readonly letters?: readonly string[];
  readonly lateEvents?: number;
}

/** The date at which the process began, and what has passed since on a clock that does not jump. */
function steadyNow(): number {
  return Math.round(performance.timeOrigin + performance.now());
}

/** Work of a process, as it says how it goes. */
export interface WorkHealth {
  /** It went round, or waits in back-off for something outside. */
  beat(): void;
  /** @param why shown by /readyz while not ready */
  setReady(ready: boolean, why: string): void;
  setError(reason: string, message: string): void;
  clearError(): void;
  setState(state: StageState): void;
}

interface Work {
  heartbeat: number;
  ready: boolean;
  why: string;
}

const MAIN = "main";

/** A process is as well as the worst of its works: as a rule it has one. */
export class Health implements WorkHealth {
  readonly #generation: number;
  readonly #now: () => number;
  #works: Map<string, Work>;
  #state: StageState = "Starting";
  readonly #errors = new Map<string, NonNullable<StageStatus["error"]>>();
  #partitions: readonly PartitionStatus[] = [];
  /** Of what reads a topic: why it is not known how much waits. */
  #lagUnknown: string | undefined;
  #reads: StageStatus["reads"];
  /** The last of its partitions that were known. */
  #read: readonly PartitionStatus[] = [];
  #replaced: StageStatus["replaced"];
  #columns: StageStatus["columns"];
  #slot: StageStatus["slot"];
  #latestTime: number | undefined;
  readonly #lost = new Map<string, LostCommits>();
  readonly #letters = new Map<string, NonNullable<StageStatus["letters"]>[number]>();
  #counts = { events: 0, deadLetters: 0, lateEvents: 0 };

  /** @param now epoch milliseconds that go on evenly: a date that jumps must make nothing look old */
  constructor(generation: number, now: () => number = steadyNow) {
    this.#generation = generation;
    this.#now = now;
    this.#works = new Map([[MAIN, this.#begin()]]);
  }

  /** From now on the process has these works instead of one. @returns what each of them tells its health */
  divide(names: readonly string[]): ReadonlyMap<string, WorkHealth> {
    this.#works = new Map(names.map((name) => [name, this.#begin()]));
    const workOf = (name: string): WorkHealth => ({
      beat: () => this.beat(name),
      setReady: (ready, why) => this.setReady(ready, why, name),
      setError: (reason, message) => this.setError(reason, message, name),
      clearError: () => this.clearError(name),
      setState: (state) => this.setState(state),
    });
    return new Map(names.map((name) => [name, workOf(name)]));
  }

  beat(work = MAIN): void {
    const known = this.#works.get(work);
    if (known !== undefined) known.heartbeat = this.#now();
  }

  setReady(ready: boolean, why: string, work = MAIN): void {
    const known = this.#works.get(work);
    if (known !== undefined) Object.assign(known, { ready, why });
  }

  /** Draining and Failed are not left again: the process is about to end. */
  setState(state: StageState): void {
    if (this.#state === "Failed" || (this.#state === "Draining" && state !== "Failed")) return;
    this.#state = state;
  }

  /**
   * An error that stands until {@link clearError}; of the same one, the time of the first stays.
   *
   * @param work what it stands in the way of: several kinds of work may go on side by side
   */
  setError(reason: string, message: string, work = MAIN): void {
    const known = this.#errors.get(work);
    if (known?.reason !== reason || known.message !== message)
      this.#errors.set(work, { reason, message, at: this.#now() });
  }

  clearError(work = MAIN): void {
    this.#errors.delete(work);
  }

  /** The partitions that this process owns now, all of them, as far as they are known. */
  setPartitions(partitions: readonly PartitionStatus[], lagUnknown?: string): void {
    this.#partitions = partitions;
    if (partitions.length > 0) this.#read = partitions;
    this.#lagUnknown = lagUnknown;
  }

  /** Which topic is read, with its id; where it is another one than before, how the one before was known stays told. */
  setTopic(topic: string, id: string): void {
    const topicId = topicIdText(id) ?? id;
    if (topicId === this.#reads?.topicId) return;
    if (this.#reads !== undefined) {
      const places = this.#read.map(({ partition, nextOffset, endOffset }) => ({ partition, nextOffset, endOffset }));
      this.#replaced = { ...this.#reads, places };
      this.#read = [];
    }
    this.#reads = { topic, topicId };
  }

  /** What the stage's outputs get, as inferred from its SQL. */
  setColumns(columns: NonNullable<StageStatus["columns"]>): void {
    this.#columns = columns;
  }

  /** How the replication slot of a source in cdc mode is. */
  setSlot(slot: NonNullable<StageStatus["slot"]>): void {
    this.#slot = slot;
  }

  /** The time of an event, epoch milliseconds. */
  noteTime(ms: number): void {
    if (ms > (this.#latestTime ?? -Infinity)) this.#latestTime = ms;
  }

  /** Commits that a server has lost, [from, to); of those that are lost again, all together. */
  lose({ output, topic, partition, from, to }: Omit<LostCommits, "at" | "offsets">): void {
    const key = `${output} ${topic} ${partition}`;
    const known = this.#lost.get(key);
    this.#lost.set(key, {
      ...{ output, topic, partition },
      from: Math.min(from, known?.from ?? from),
      to: Math.max(to, known?.to ?? to),
      offsets: to - from + (known?.offsets ?? 0),
      at: this.#now(),
    });
  }

  /** Adds to the totals since the process began; after a commit or an acknowledgement, never before. */
  count(counts: Counts): void {
    this.#counts.events += counts.events ?? 0;
    for (const reason of counts.letters ?? []) this.#countLetter(reason);
    this.#counts.lateEvents += counts.lateEvents ?? 0;
  }

  #countLetter(reason: string): void {
    const at = this.#now();
    const known = this.#letters.get(reason);
    this.#counts.deadLetters++;
    this.#letters.set(reason, { reason, count: (known?.count ?? 0) + 1, since: known?.since ?? at, at });
  }

  live(): { readonly ok: boolean; readonly message: string } {
    const age = this.#now() - this.#heartbeat();
    const ok = age <= HEARTBEAT_LIMIT_MS;
    return { ok, message: ok ? "alive" : `the main loop last went round ${Math.round(age / 1000)} s ago` };
  }

  ready(): { readonly ok: boolean; readonly message: string } {
    const ended = this.#state === "Draining" || this.#state === "Failed";
    const waiting = [...this.#works.values()].find((work) => !work.ready);
    const ok = waiting === undefined && !ended && this.live().ok;
    return { ok, message: ok ? "ready" : ended ? this.#state.toLowerCase() : (waiting?.why ?? "") };
  }

  status(): StageStatus {
    const error = this.#error();
    return {
      generation: this.#generation,
      state: this.#state,
      heartbeat: this.#heartbeat(),
      ...this.#counts,
      ...(this.#letters.size === 0 ? {} : { letters: [...this.#letters.values()] }),
      ...(this.#reads === undefined ? {} : { reads: this.#reads }),
      ...(this.#replaced === undefined ? {} : { replaced: this.#replaced }),
      partitions: [...this.#partitions],
      ...(this.#lagUnknown === undefined ? {} : { lagUnknown: error?.message ?? this.#lagUnknown }),
      ...(this.#columns === undefined ? {} : { columns: this.#columns }),
      ...(this.#slot === undefined ? {} : { slot: this.#slot }),
      ...(this.#latestTime === undefined ? {} : { latestTime: this.#latestTime }),
      ...(this.#lost.size === 0 ? {} : { lost: [...this.#lost.values()] }),
      ...(error === undefined ? {} : { error }),
    };
  }

  /** The main work's gives the reason; the message has what stands in the way of others too. */
  #error(): StageStatus["error"] {
    const main = this.#errors.get(MAIN);
    const others = [...this.#errors].flatMap(([work, error]) => (work === MAIN ? [] : [error]));
    const [first, ...rest] = main === undefined ? others : [main, ...others];
    return first && { ...first, message: [first, ...rest].map(({ message }) => message).join("; ") };
  }

  #begin(): Work {
    return { heartbeat: this.#now(), ready: false, why: "starting" };
  }

  /** Of the work that went round longest ago. */
  #heartbeat(): number {
    return Math.min(...[...this.#works.values()].map(({ heartbeat }) => heartbeat));
  }
}
