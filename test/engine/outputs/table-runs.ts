/** A transform's output to a table, run by the product's own loop on rows that are in memory instead of a topic. */
import { trace } from "@opentelemetry/api";
import type { RecordBlock } from "../../../workloads/src/kafka/record-block.ts";
import { rowsTable } from "../../../workloads/src/postgres/core/rows-table.ts";
import { Drain } from "../../../workloads/src/runtime/drain.ts";
import { Health } from "../../../workloads/src/runtime/health.ts";
import type { ProjectedColumn } from "../../../pipeline/src/sql/transform-plan.ts";
import { CommitMemory } from "../../../workloads/src/stage/commit-memory.ts";
import type { Fetched, Position, Reader } from "../../../workloads/src/stage/ports.ts";
import type { BatchProjection } from "../../../workloads/src/transform/batch.ts";
import { TableOutput } from "../../../workloads/src/transform/table-output.ts";
import { Worker } from "../../../workloads/src/transform/worker.ts";
import { batchOf } from "./batches.ts";

export type Value = string | number | null;

export interface Run {
  readonly secret: string;
  readonly table: string;
  readonly key?: readonly string[];
  /** Name, type in DuckDB and type in PostgreSQL. */
  readonly columns: readonly (readonly [name: string, duckdbType: string, postgresType: string])[];
  readonly rows: readonly (readonly Value[])[];
  /** How many records a fetch brings: a batch holds at most these. */
  readonly fetch?: number;
  /** Of the output's sessions with PostgreSQL. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Sessions after which it is given up. */
  readonly patience?: number;
}

export interface Outcome {
  /** Of the dead letters: offset, reason and detail. */
  readonly letters: readonly { readonly offset: number; readonly reason: string; readonly detail: string }[];
  /** What ended a session, in order. */
  readonly errors: readonly Error[];
  /** Where the next record would be read. */
  readonly next: number;
}

const source = { topic: "events", topicId: "t1" };

/** Runs sessions one after another, as a stage does, until all rows are committed or the patience is at its end. */
export async function runRows({ columns, rows, fetch = 10_000, patience = 8, ...run }: Run): Promise<Outcome> {
  const letters: Outcome["letters"][number][] = [];
  const errors: Error[] = [];
  const refused = new Map<number, number>();
  let next = 0;
  for (let session = 0; session < patience && next < rows.length; session++) {
    const projected = columns.map(([name, duckdbType, postgresType]): ProjectedColumn => ({
      ...{ name, duckdbType, postgresType, nullable: true, expression: name, isField: true, inputs: [] },
    }));
    const output = new TableOutput({
      secret: run.secret,
      owner: { pipeline: "shop/events", stage: "rows", uid: "first" },
      table: rowsTable(run.table, run.key ?? [], projected),
      onCall: () => undefined,
      settings: run.settings ?? {},
      onRetry: () => undefined,
      generation: async () => await Promise.resolve(1),
    });
    const wake = new AbortController();
    try {
      const starts = new Map([[0, 0]]);
      await output.accept(source, starts);
      const positions = await output.positions(source, { memberId: "m", generation: 1 }, starts);
      next = positions[0]?.offset ?? 0;
      await new Worker(
        {
          context: { drain: new Drain(), health: new Health(1), tracer: trace.getTracer("test") },
          ...{ name: "t", source, output, refused, tellsBadRows: true, memory: new CommitMemory() },
          projection: new Projected(projected, rows),
          reader: new RowsReader(rows.length, fetch),
          deadLetters: {
            send: async (_, sent) => {
              for (const { record, reason, detail } of sent) letters.push({ offset: record.offset, reason, detail });
              await Promise.resolve();
            },
          },
          report: {
            seen: () => undefined,
            committed: ({ rows: { moves } }) => {
              next = moves[0]?.to ?? next;
              if (next >= rows.length) wake.abort();
            },
          },
        },
        positions,
      ).run(wake.signal);
    } catch (error) {
      errors.push(error as Error);
    } finally {
      await output.close();
    }
  }
  return { letters, errors, next };
}

class RowsReader implements Reader {
  readonly #count: number;
  readonly #most: number;
  #at: Position | undefined;

  constructor(count: number, most: number) {
    this.#count = count;
    this.#most = most;
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
    if (this.#at === undefined || this.#at.offset >= this.#count) return { blocks: [], ends: [] };
    const block = blockOf(this.#at.offset, Math.min(this.#count, this.#at.offset + this.#most));
    this.#at = { ...this.#at, offset: block.nextOffset };
    return { blocks: [block], ends: [] };
  }
}

function blockOf(from: number, to: number): RecordBlock {
  const offsets = Float64Array.from({ length: to - from }, (_, row) => from + row);
  const none = new Int32Array(to - from);
  return {
    ...{ topic: "events", partition: 0, count: to - from, leaderEpoch: 1, nextOffset: to, offsets },
    ...{ timestamps: new Float64Array(to - from), bytes: Buffer.alloc(0), traceparents: [] },
    ...{ starts: none, ends: none, heads: none, tails: none },
    original: (row) => ({ offset: from + row, timestamp: 0, key: null, value: null, headers: [] }),
  };
}

/** Rows are at their offset. */
class Projected implements BatchProjection {
  readonly #columns: readonly ProjectedColumn[];
  readonly #all: Run["rows"];
  #pending: number[] = [];
  readonly pendingBytes = 0;

  constructor(columns: readonly ProjectedColumn[], all: Run["rows"]) {
    this.#columns = columns;
    this.#all = all;
  }
  get pendingRows(): number {
    return this.#pending.length;
  }
  async add(block: RecordBlock, { from, to }: { readonly from: number; readonly to: number }) {
    for (let row = from; row < to; row++) this.#pending.push(block.offsets[row] as number);
    return await Promise.resolve({ accepted: to - from, bad: [], unwritten: [] });
  }
  take() {
    const rows = this.#pending.map((offset) => ({ partition: 0, offset, time: 0, values: this.#all[offset] ?? [] }));
    this.#pending = [];
    return batchOf(this.#columns, [], rows);
  }
  discard(): void {
    this.#pending = [];
  }
}
