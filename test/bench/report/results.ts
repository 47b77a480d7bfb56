/** What a run gives, and what several runs of one engine come to. Pure. */

/** One run. CPU-seconds are the engine's own processes'; PostgreSQL's are beside them. */
export interface Result {
  readonly engine: string;
  readonly configuration: string;
  readonly run: number;
  readonly eventsPerSecond: number;
  readonly eventsPerCpuSecond: number;
  readonly cpuSeconds: number;
  readonly peakRssMb: number;
  readonly postgresCpuSeconds: number;
  /** Whether every row of the three tables is right. */
  readonly exact: boolean;
}

export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

export interface Summary {
  readonly engine: string;
  readonly configuration: string;
  readonly runs: number;
  readonly eventsPerSecond: Spread;
  readonly eventsPerCpuSecond: Spread;
  readonly peakRssMb: number;
  readonly postgresCpuSeconds: Spread;
  /** Whether every run was. */
  readonly exact: boolean;
}

/** @param values at least one */
export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = (sorted.length - 1) / 2;
  const median = ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle)] ?? Number.NaN)) / 2;
  return { min: sorted[0] ?? Number.NaN, median, max: sorted.at(-1) ?? Number.NaN };
}

/** The value below which this share of the values lies (nearest rank). */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** One summary an engine, in the order in which the engines first ran. */
export function summarize(results: readonly Result[]): readonly Summary[] {
  return [...Map.groupBy(results, ({ engine }) => engine)].map(([engine, runs]) => ({
    engine,
    configuration: runs[0]?.configuration ?? "",
    runs: runs.length,
    eventsPerSecond: spread(runs.map((run) => run.eventsPerSecond)),
    eventsPerCpuSecond: spread(runs.map((run) => run.eventsPerCpuSecond)),
    peakRssMb: Math.max(...runs.map((run) => run.peakRssMb)),
    postgresCpuSeconds: spread(runs.map((run) => run.postgresCpuSeconds)),
    exact: runs.every((run) => run.exact),
  }));
}

export interface Ratios {
  readonly eventsPerSecond: number;
  readonly eventsPerCpuSecond: number;
}

/** The engine that all others are compared with. */
const OURS = "caudal";

/**
 * How many times the best peer's median an engine's is; for each measure its own best peer, whose ratio is 1. A peer
 * that is not exact is none.
 *
 * @returns undefined when there is no peer to compare with
 */
export function ratiosToBestPeer(summaries: readonly Summary[], engine = OURS): Ratios | undefined {
  const own = summaries.find((summary) => summary.engine === engine);
  const peers = summaries.filter((summary) => summary.engine !== OURS && summary.exact);
  if (own === undefined || peers.length === 0) return undefined;
  const ratio = (measure: keyof Ratios): number =>
    own[measure].median / Math.max(...peers.map((peer) => peer[measure].median));
  return { eventsPerSecond: ratio("eventsPerSecond"), eventsPerCpuSecond: ratio("eventsPerCpuSecond") };
}
