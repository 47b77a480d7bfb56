/** Tables of PostgreSQL beside the events: read whole, again and again. */
import type { LookupConfig, TransformConfig } from "@caudal/crds";
import type { Joined } from "../kernel/evaluation.ts";
import { describeError, WorkloadError } from "../runtime/errors.ts";
import { pause } from "../runtime/retry.ts";
import type { RuntimeContext } from "../runtime/role.ts";
import type { DuckDB } from "@caudal/pipeline/duckdb";
import type { LookupPlan, TransformPlan } from "@caudal/pipeline/sql";
import { type LookupTable, LookupTables } from "./lookup-tables.ts";
import { TableReader } from "./table-reader.ts";

/** The table could not be read for too long: decisions by what is known of it would be wrong. */
export class LookupStale extends WorkloadError {
  readonly code = "ELOOKUPSTALE";
  readonly reason = "LookupStale";
  readonly retryable = true;
}

/** How old what is known may become, at least and in refreshes. */
const STALE_MS = 60_000;
const STALE_REFRESHES = 10;

interface Known {
  readonly plan: LookupPlan;
  readonly config: LookupConfig;
  /** performance.now() at which its rows were asked for. */
  readAt: number;
  /** Why it could not be read last. */
  why: string;
}

export class Lookups implements Joined {
  readonly #known: readonly Known[];
  readonly #tables: LookupTables;
  readonly #reader: TableReader;
  readonly #ended = new AbortController();
  #refreshing: Promise<void> = Promise.resolve();

  private constructor(known: readonly Known[], tables: LookupTables, reader: TableReader) {
    this.#known = known;
    this.#tables = tables;
    this.#reader = reader;
  }

  get names(): readonly string[] {
    return this.#tables.names;
  }

  /**
   * Reads all tables that the plan's SQL uses, and goes on reading them.
   *
   * @returns undefined where it uses none
   * @throws LookupInvalid, LookupUnreadable
   */
  static async open(
    context: Pick<RuntimeContext, "metrics" | "config">,
    { lookups }: TransformConfig,
    { lookups: plans }: TransformPlan,
    onProblem: (error: unknown) => void,
  ): Promise<Lookups | undefined> {
    if (plans.length === 0) return undefined;
    const reader = new TableReader(context);
    const known: Known[] = [];
    const tables: LookupTable[] = [];
    try {
      for (const plan of plans) {
        const config = lookups.find(({ name }) => name === plan.name);
        if (config === undefined) continue;
        known.push({ plan, config, readAt: performance.now(), why: "" });
        tables.push({ plan, table: config.table, rows: await reader.read(plan, config) });
      }
    } catch (error) {
      await reader.close();
      throw error;
    }
    const opened = new Lookups(known, new LookupTables(tables), reader);
    opened.#refreshing = Promise.all(known.map(async (one) => await opened.#keepFresh(one, onProblem))).then(
      () => undefined,
    );
    return opened;
  }

  async load(duckdb: DuckDB): Promise<void> {
    this.#known.forEach(checkAge);
    await this.#tables.load(duckdb);
  }

  joined(events: string): string {
    return this.#tables.joined(events);
  }

  beside(...[fields, rows]: Parameters<Joined["beside"]>): ReturnType<Joined["beside"]> {
    return this.#tables.beside(fields, rows);
  }

  async close(): Promise<void> {
    this.#ended.abort();
    await this.#refreshing;
    await this.#reader.close();
  }

  async #keepFresh(known: Known, onProblem: (error: unknown) => void): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      await pause(known.config.refreshMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      const readAt = performance.now();
      try {
        const rows = await this.#reader.read(known.plan, known.config);
        this.#tables.replace({ plan: known.plan, table: known.config.table, rows });
        known.readAt = readAt;
      } catch (error) {
        known.why = describeError(error);
        if (!signal.aborted) onProblem(error);
      }
    }
  }
}

/** @throws LookupStale */
function checkAge(known: Known): void {
  const { plan, config, readAt } = known;
  const age = performance.now() - readAt;
  if (age > Math.max(STALE_MS, STALE_REFRESHES * config.refreshMs))
    throw new LookupStale(
      `lookup ${plan.name}: table ${config.table} could not be read for ${Math.round(age / 1000)} s: events wait until it can; ${known.why}`,
    );
}
