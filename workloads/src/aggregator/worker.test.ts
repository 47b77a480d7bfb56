import { trace } from "@opentelemetry/api";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import type { RecordBlock } from "../kafka/record-block.ts";
import type { Connection, Statement } from "../postgres/connection.ts";
import { ProgressMoved, RowRefused } from "../postgres/errors.ts";
import { moveJudgements } from "../postgres/progress.ts";
import { Drain } from "../runtime/drain.ts";
import { Health } from "../runtime/health.ts";
import type { BlockInput } from "../kernel/kernel.ts";
import type { Delta } from "../kernel/delta.ts";
import type { TablePlan } from "@caudal/pipeline/sql";
import { CommitMemory } from "../stage/commit-memory.ts";
import type { Letter } from "../stage/letter.ts";
import type { SealedBatch } from "./batch.ts";
import { planLanes } from "./core/lanes.ts";
import type { Fetched, Position, Reader } from "../stage/ports.ts";
import { Worker, type WorkerParts } from "./worker.ts";

const log = pino({ level: "silent" });
const table = (name: string): TablePlan => ({
  ...{ name, hash: `plan of ${name}`, size: 1, advance: 1, pane: 1, panes: false },
  ...{ fields: [], inputs: [], groups: [], aggregates: [] },
});
const tables = [table("a"), table("b")];
const scope = { owner: { pipeline: "p", stage: "s", uid: "u" }, topic: "t", topicId: "id" };

/** Records with even offsets only, as a compacted log has them; `bad` ones cannot become events. */
class Log {
  end: number;
  readonly bad: ReadonlySet<number>;

  constructor(end: number, bad: readonly number[] = []) {
    this.end = end;
    this.bad = new Set(bad);
  }

  block(partition: number, from: number, most: number): RecordBlock {
    const all = Array.from({ length: this.end }, (_, offset) => offset).filter((offset) => offset % 2 === 0);
    const offsets = all.filter((offset) => offset >= from).slice(0, most);
    return {
      ...{ topic: "t", partition, count: offsets.length, leaderEpoch: 1 },
      nextOffset: offsets.length < most ? this.end : (offsets.at(-1) ?? 0) + 1,
      offsets: Float64Array.from(offsets),
      timestamps: new Float64Array(offsets.length),
      bytes: Buffer.alloc(0),
      starts: new Int32Array(offsets.length),
      heads: new Int32Array(offsets.length),
      tails: new Int32Array(offsets.length),
      ends: new Int32Array(offsets.length),
      traceparents: [],
      original: (row) => ({ offset: offsets[row] ?? -1, timestamp: 0, key: null, value: null, headers: [] }),
    };
  }
}

/** Everything around a worker in memory; PostgreSQL is a map that is compared and set. */
class World {
  readonly progress = new Map<string, number>();
  /** Offsets that each table has counted. */
  readonly counted = new Map<string, number[]>();
  readonly letters: number[] = [];
  readonly commits: SealedBatch[] = [];
  refuse: (offset: number) => boolean = () => false;
  latePolicy: "Update" | "DeadLetter" = "Update";
  /** Of the stage. */
  watermark: number | null = null;
  /** By table, what its progress says of the events that follow. */
  readonly judgedBy = new Map<string, number | null>();
  /** Offsets with the watermark by which what follows is to be judged, as it was stored. */
  readonly judgements: (readonly [offset: number, watermark: number | null])[] = [];
  /** Offsets with the watermark by which they were judged. */
  readonly judged: (readonly [offset: number, watermark: number | null])[] = [];
  readonly refused = new Map<number, number>();
  readonly log: Log;

  constructor(source: Log, places: Readonly<Record<string, number>>) {
    this.log = source;
    for (const [name, offset] of Object.entries(places)) this.progress.set(name, offset);
  }

  async run(until: () => boolean): Promise<void> {
    const wake = new AbortController();
    const lanes = planLanes(
      [...this.progress].map(([name, offset]) => ({
        ...{ table: name, partition: 0, offset, epoch: -1 },
        judgedBy: this.judgedBy.get(name) ?? null,
      })),
      ["a", "b"],
    );
    const stop = () => void (until() && wake.abort());
    await new Worker(this.#parts(stop), { scope, lanes, ends: new Map(), waiting: new Map(), partitionCount: 1 }).run(
      wake.signal,
    );
  }

  #parts(onRound: () => void): WorkerParts {
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- for the getter below
    const world = this;
    return {
      context: { drain: new Drain(), health: new Health(1), tracer: trace.getTracer("test"), log },
      ...{
        tables,
        latePolicy: this.latePolicy,
        refused: this.refused,
        publishOffsets: () => undefined,
        memory: new CommitMemory(),
      },
      openReader: () => new FakeReader(this.log, onRound),
      ledger: {
        control: {
          query: async (_: string, { values }: Statement) => await this.#judge(values),
        } as unknown as Connection,
        commit: async (_, batch) => await this.#commit(batch),
        rehearse: async () => await Promise.resolve(),
        look: async () => await Promise.resolve(),
      },
      deadLetters: {
        send: async (_, letters: readonly Letter[]) => {
          this.letters.push(...letters.map(({ record }) => record.offset));
          await Promise.resolve();
        },
      },
      keeper: {
        isDue: () => this.latePolicy === "DeadLetter",
        ...{ floors: new Map(), expire: () => undefined, stir: () => undefined },
        get current() {
          return world.watermark;
        },
        keep: async () => await Promise.resolve(),
      },
      report: {
        ...{ assigned: () => undefined, seen: () => undefined, committed: () => undefined, publish: () => undefined },
        ...{ idleDue: () => [], groupOffsets: () => [] },
      },
      kernel: async (some) => await Promise.resolve(new FakeKernel(some, this.log, this.judged)),
    };
  }

  async #judge(values: Statement["values"] = []): Promise<void> {
    const [, , outputs, , offsets, from, to] = values as readonly (readonly unknown[])[];
    for (const [index, output] of (outputs ?? []).entries()) {
      const name = String(output);
      if ((this.judgedBy.get(name) ?? null) !== from?.[index] || this.progress.get(name) !== offsets?.[index])
        throw new ProgressMoved(`${name} is not judged by ${String(from?.[index])}`);
      this.judgedBy.set(name, to?.[index] as number | null);
      this.judgements.push([Number(offsets?.[index]), to?.[index] as number | null]);
    }
    await Promise.resolve();
  }

  async #commit(batch: SealedBatch): Promise<void> {
    await Promise.resolve();
    for (const { output, from } of batch.moves)
      if (this.progress.get(output) !== from) throw new ProgressMoved(`${output} is not at ${from}`);
    const rows = batch.deltas.flatMap((delta) => [...delta.windowStart]);
    if (rows.some(this.refuse)) throw new RowRefused("no");
    for (const { output, to } of batch.moves) this.progress.set(output, to);
    await this.#judge(moveJudgements(scope, batch.judgements).values);
    for (const delta of batch.deltas)
      this.counted.set(delta.table.name, [...(this.counted.get(delta.table.name) ?? []), ...[...delta.windowStart]]);
    this.commits.push(batch);
  }
}

class FakeReader implements Reader {
  readonly #log: Log;
  readonly #onRound: () => void;
  #at: Position | undefined;

  constructor(source: Log, onRound: () => void) {
    this.#log = source;
    this.#onRound = onRound;
  }
  read(position: Position): void {
    this.#at = position;
  }
  drop(): void {
    this.#at = undefined;
  }
  close(): void {
    this.#at = undefined;
  }
  async next(): Promise<Fetched> {
    await new Promise((resolve) => setTimeout(resolve, 1));
    this.#onRound();
    if (this.#at === undefined) return { blocks: [], ends: [] };
    const block = this.#log.block(this.#at.partition, this.#at.offset, 3);
    this.#at = { ...this.#at, offset: block.nextOffset };
    return {
      blocks: [block],
      ends: [
        {
          ...{ topic: "t", partition: 0, logStartOffset: 0, askedAt: 0 },
          ...{ lastStableOffset: this.#log.end, highWatermark: this.#log.end },
        },
      ],
    };
  }
}

/** A delta whose "window starts" are the offsets that it counted. */
class FakeKernel {
  readonly #tables: readonly TablePlan[];
  readonly #log: Log;
  readonly #judged: World["judged"];
  #offsets: number[] = [];
  pendingBytes = 0;

  constructor(some: readonly TablePlan[], source: Log, judged: World["judged"]) {
    this.#tables = some;
    this.#log = source;
    this.#judged = judged;
  }
  get pendingRows(): number {
    return this.#offsets.length;
  }
  async add(block: RecordBlock, { from = 0, to = block.count, watermark }: BlockInput) {
    const rows = Array.from({ length: to - from }, (_, index) => from + index);
    this.#judged.push(...rows.map((row) => [block.offsets[row] ?? -1, watermark] as const));
    const isBad = (row: number) => this.#log.bad.has(block.offsets[row] ?? -1);
    this.#offsets.push(...rows.filter((row) => !isBad(row)).map((row) => block.offsets[row] ?? -1));
    const bad = rows.filter(isBad).map((row) => ({ row, reason: "MalformedJson", detail: "" }));
    return await Promise.resolve({ accepted: rows.length - bad.length, bad, late: [], tables: [], maxEventTime: null });
  }
  async take(): Promise<readonly Delta[]> {
    const windowStart = Float64Array.from(this.#offsets);
    this.#offsets = [];
    const delta = { rows: windowStart.length, windowStart, groups: [], parts: [] };
    return await Promise.resolve(this.#tables.map((one) => ({ table: one, ...delta })));
  }
  async discard(): Promise<void> {
    this.#offsets = [];
    await Promise.resolve();
  }
}

const evens = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => from + index).filter((offset) => offset % 2 === 0);
const lanesAt = (world: World, offset: number) => [...world.progress.values()].every((at) => at >= offset);

describe("a worker", () => {
  it("gives every record to every table once, also to one that catches up", async () => {
    const world = new World(new Log(61), { a: 30, b: 0 });
    await world.run(() => lanesAt(world, 61));
    expect(world.counted.get("a")).toEqual(evens(30, 61));
    expect(world.counted.get("b")).toEqual(evens(0, 61));
  });

  it("lets a table that has caught up go on with the others in one commit", async () => {
    const world = new World(new Log(40), { a: 34, b: 0 });
    await world.run(() => {
      if (lanesAt(world, 40)) world.log.end = 90;
      return lanesAt(world, 90);
    });
    expect(world.commits.at(-1)?.moves.map(({ output }) => output)).toEqual(["a", "b"]);
  });

  it("sends a dead letter once, and never commits a table that catches up past the one that sends them", async () => {
    const world = new World(new Log(61, [10, 40, 50]), { a: 30, b: 0 });
    await world.run(() => lanesAt(world, 61));
    expect(world.letters).toEqual([40, 50]);
    const at: Record<string, number> = { a: 30, b: 0 };
    for (const { output, to } of world.commits.flatMap(({ moves }) => moves)) {
      at[output] = to;
      if (output === "b") expect(to).toBeLessThanOrEqual(at["a"] ?? 0);
    }
  });

  it("moves past bad records when there is nothing else", async () => {
    const world = new World(new Log(3, [0, 2]), { a: 0, b: 0 });
    await world.run(() => lanesAt(world, 3));
    expect([world.letters, world.counted.get("a") ?? []]).toEqual([[0, 2], []]);
  });

  it("stops when progress is not what it thought, and commits nothing after", async () => {
    const world = new World(new Log(61), { a: 0, b: 0 });
    const running = world.run(() => lanesAt(world, 61));
    world.progress.set("b", 44);
    await expect(running).rejects.toThrow(ProgressMoved);
    expect(world.commits).toEqual([]);
  });

  it("finds the records that the database refuses when it is run again", async () => {
    const world = new World(new Log(61), { a: 0, b: 0 });
    world.refuse = (offset) => offset === 4 || offset === 20;
    await expect(world.run(() => lanesAt(world, 61))).rejects.toThrow(RowRefused);
    for (let turn = 0; turn < 3 && !lanesAt(world, 61); turn++)
      await world.run(() => lanesAt(world, 61)).catch((error: unknown) => expect(error).toBeInstanceOf(RowRefused));
    expect(world.letters).toEqual([4, 20]);
    expect(world.counted.get("a")).toEqual(evens(0, 61).filter((offset) => offset !== 4 && offset !== 20));
    expect(world.refused.size).toBe(0);
  });

  it("judges late events by the watermark that was stored before they were read", async () => {
    const world = new World(new Log(1_500), { a: 0, b: 0 });
    world.latePolicy = "DeadLetter";
    await world.run(() => {
      world.watermark = world.judged.length;
      return lanesAt(world, 1_500);
    });
    expect(new Set(world.judgements.map(([, watermark]) => watermark)).size).toBeGreaterThan(1);
    expect(world.judged.length).toBe(750);
    for (const [offset, watermark] of world.judged) {
      const stored = world.judgements.findLast(([from]) => from <= offset);
      expect([offset, watermark]).toEqual([offset, stored?.[1] ?? null]);
    }
  });
});
