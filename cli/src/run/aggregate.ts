/** An aggregator on a log in memory: the kernel of the workloads, and at its end the rows that PostgreSQL would hold. */
import type { AggregatorConfig } from "@caudal/crds";
import { Kernel } from "@caudal/workloads/kernel/kernel";
import { compilePlan } from "@caudal/pipeline/duckdb";
import type { AggregatorPlan, BlockResult } from "@caudal/pipeline/sql";
import type { Letter } from "./letter.ts";
import { countRecords, type Section, type TopicLog } from "./log.ts";
import { finalRows, rowsOf, type TableRows, withoutOld } from "./rows.ts";
import { Watermark } from "./watermark.ts";

export interface Aggregated {
  readonly tables: readonly TableRows[];
  readonly letters: readonly Letter[];
  readonly records: number;
  /** By table, events that came late. */
  readonly late: ReadonlyMap<string, number>;
  /** By topic, the values of rows that became final. */
  readonly final: ReadonlyMap<string, readonly string[]>;
}

/** DuckDB's bound for one batch. */
const MEMORY = "512MB";

export async function aggregate(stage: string, config: AggregatorConfig, log: TopicLog): Promise<Aggregated> {
  const plan = wholeWindows(await compilePlan(config));
  const kernel = await openKernel(plan, config);
  const watermark = new Watermark(config.watermark.maxDelayMs);
  const results: { readonly section: Section; readonly result: BlockResult }[] = [];
  try {
    const judged = config.lateEvents !== "Update" || plan.tables.some((table) => table.retention ?? table.emit);
    const times = judged ? await EventTimes.open(config) : undefined;
    for (const section of log.sections) {
      if (times === undefined) {
        results.push({ section, result: await kernel.add(section.block, { watermark: null }) });
        continue;
      }
      const bad = await badRows(plan, config, section);
      for (const { from, to, watermark: at } of watermark.stretches(await times.read(section, bad))) {
        const floors = floorsAt(plan, at);
        results.push({ section, result: await kernel.add(section.block, { from, to, watermark: at, floors }) });
      }
    }
    await times?.close();
    const all = (await kernel.take()).map(rowsOf);
    const rows = plan.tables.map((table) => all.find((one) => one.table === table) ?? { table, rows: [] });
    const floors = floorsAt(plan, watermark.current);
    return {
      tables: config.tables
        .flatMap(({ name }) => rows.filter(({ table }) => table.name === name))
        .map((one) => withoutOld(one, floors.get(one.table.name))),
      letters: results.flatMap(({ section, result }) => lettersOf(stage, config, section, result)),
      records: countRecords(log),
      late: sumLate(results),
      final: finalByTopic(rows, watermark.current),
    };
  } finally {
    await kernel.close();
  }
}

/** Panes save writes to a database: here each row is a window from the start. */
function wholeWindows(plan: AggregatorPlan): AggregatorPlan {
  return { ...plan, tables: plan.tables.map((table) => ({ ...table, panes: false, pane: table.size })) };
}

async function openKernel(plan: AggregatorPlan, config: AggregatorConfig): Promise<Kernel> {
  const { watermark, lateEvents } = config;
  return await Kernel.open(plan, config.topic, { maxAheadMs: watermark.maxAheadMs, lateEvents, memoryLimit: MEMORY });
}

/** Rows of a section that are no events, whatever the watermark: they do not move it. */
async function badRows(
  plan: AggregatorPlan,
  config: AggregatorConfig,
  { block }: Section,
): Promise<ReadonlySet<number>> {
  const kernel = await openKernel(plan, { ...config, lateEvents: "Update" });
  try {
    return new Set((await kernel.add(block, { watermark: null })).bad.map(({ row }) => row));
  } finally {
    await kernel.close();
  }
}

/** The event time of each record, as the kernel reads it. */
class EventTimes {
  readonly #kernel: Kernel;

  private constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  static async open(config: AggregatorConfig): Promise<EventTimes> {
    return new EventTimes(await openKernel({ fields: [], tables: [] }, config));
  }

  /** @param bad rows that are left out @returns epoch milliseconds by row, NaN for those */
  async read({ block }: Section, bad: ReadonlySet<number>): Promise<Float64Array> {
    const times = new Float64Array(block.count).fill(NaN);
    for (let row = 0; row < block.count; row++) {
      if (bad.has(row)) continue;
      const { maxEventTime } = await this.#kernel.add(block, { watermark: null, from: row, to: row + 1 });
      times[row] = maxEventTime ?? NaN;
    }
    return times;
  }

  async close(): Promise<void> {
    await this.#kernel.close();
  }
}

/** Windows that end at or before it are no longer kept, by table. */
function floorsAt({ tables }: AggregatorPlan, watermark: number | null): ReadonlyMap<string, number> {
  if (watermark === null) return new Map();
  return new Map(
    tables.flatMap(({ name, retention, advance }) =>
      retention === undefined ? [] : [[name, Math.floor((watermark - retention) / advance) * advance]],
    ),
  );
}

/** Under Update late events count in their row while the table keeps it. */
const LEFT_OUT = {
  DeadLetter: { reason: "LateEvent", detail: "the watermark had passed the end of its window" },
  Update: { reason: "RetentionPassed", detail: "its window is older than what the table keeps" },
} as const;

function lettersOf(stage: string, { lateEvents }: AggregatorConfig, section: Section, result: BlockResult): Letter[] {
  const at = (row: number) => ({ stage, place: section.place(row), value: section.block.original(row).value });
  const bad = result.bad.map(({ row, reason, detail }) => ({ ...at(row), row, reason, detail, tables: [] }));
  if (lateEvents === "Drop") return bad;
  const late = result.late.map(({ row, tables }) => ({ ...at(row), row, ...LEFT_OUT[lateEvents], tables }));
  return [...bad, ...late].sort((a, b) => a.row - b.row);
}

function sumLate(results: readonly { readonly result: BlockResult }[]): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const { table, late } of results.flatMap(({ result }) => result.tables))
    if (late > 0) sums.set(table, (sums.get(table) ?? 0) + late);
  return sums;
}

function finalByTopic(all: readonly TableRows[], watermark: number | null): ReadonlyMap<string, readonly string[]> {
  const byTopic = new Map<string, readonly string[]>();
  for (const rows of all) {
    const topic = rows.table.emit?.topic;
    if (topic !== undefined) byTopic.set(topic, [...(byTopic.get(topic) ?? []), ...finalRows(rows, watermark)]);
  }
  return byTopic;
}
