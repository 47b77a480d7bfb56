/** Tables of PostgreSQL beside the events: read whole, again and again, and joined to each event as a struct. */
import type { LookupConfig, TransformConfig } from "@caudal/crds";
import { structOf } from "../sql/event-scope.ts";
import type { Joined } from "../kernel/evaluation.ts";
import { Connection } from "../postgres/connection.ts";
import { identifier } from "../postgres/core/identifiers.ts";
import { callObserver } from "../postgres/session.ts";
import { describeError, WorkloadError } from "../runtime/errors.ts";
import { pause } from "../runtime/retry.ts";
import type { RuntimeContext } from "../runtime/role.ts";
import type { DuckDB } from "../sql/duckdb.ts";
import { quote, text } from "../sql/quote.ts";
import type { LookupPlan, TransformPlan } from "../sql/transform-plan.ts";

/** The table does not hold what the lookup needs: a person has to change it or the spec. */
export class LookupInvalid extends WorkloadError {
  readonly code = "ELOOKUPINVALID";
  readonly reason = "LookupInvalid";
  readonly retryable = false;
}

/** The table could not be read for too long: decisions by what is known of it would be wrong. */
export class LookupStale extends WorkloadError {
  readonly code = "ELOOKUPSTALE";
  readonly reason = "LookupStale";
  readonly retryable = true;
}

/** How old what is known may become, at least and in refreshes. */
const STALE_MS = 60_000;
const STALE_REFRESHES = 10;
const STATEMENT_MS = 30_000;

interface Known {
  readonly plan: LookupPlan;
  readonly config: LookupConfig;
  /** All rows as a JSON list of lists of texts. */
  rows: string;
  /** performance.now() at which they were asked for. */
  readAt: number;
  /** What DuckDB has of them. */
  loaded: string | undefined;
}

export class Lookups implements Joined {
  readonly names: readonly string[];
  readonly #known: readonly Known[];
  readonly #ended = new AbortController();
  #refreshing: Promise<void> = Promise.resolve();

  private constructor(known: readonly Known[]) {
    this.#known = known;
    this.names = known.map(({ plan }) => plan.name);
  }

  /**
   * Reads all tables that the plan's SQL uses, and goes on reading them.
   *
   * @returns undefined where it uses none
   * @throws LookupInvalid; DatabaseUnavailable and its like
   */
  static async open(
    context: Pick<RuntimeContext, "metrics" | "config">,
    { lookups }: TransformConfig,
    { lookups: plans }: TransformPlan,
    onProblem: (error: unknown) => void,
  ): Promise<Lookups | undefined> {
    if (plans.length === 0) return undefined;
    const known: Known[] = [];
    for (const plan of plans) {
      const config = lookups.find(({ name }) => name === plan.name);
      if (config === undefined) continue;
      const readAt = performance.now();
      known.push({ plan, config, rows: await readAll(context, plan, config), readAt, loaded: undefined });
    }
    const opened = new Lookups(known);
    opened.#refreshing = Promise.all(known.map(async (one) => await opened.#keepFresh(context, one, onProblem))).then(
      () => undefined,
    );
    return opened;
  }

  async join(duckdb: DuckDB): Promise<void> {
    for (const known of this.#known) await load(duckdb, known);
    const structs = this.#known.map(({ plan }, index) => {
      const table = `l${index}`;
      const members = plan.columns.map(({ name }) => `${quote(name)} := ${table}.${quote(`value ${name}`)}`);
      return `case when ${table}."#found" then struct_pack(${members.join(", ")})::${structOf(plan)} end as ${quote(plan.name)}`;
    });
    const joins = this.#known.map(({ plan }, index) => {
      const on = plan.on.map(({ column, field }) => `l${index}.${quote(`key ${column}`)} = e.${quote(field)}`);
      return `left join ${tableOf(plan)} l${index} on ${on.join(" and ")}`;
    });
    await duckdb.connection.run(
      `create or replace temp table event as select ${["e.*", ...structs].join(", ")} from event e ${joins.join(" ")}`,
    );
  }

  async close(): Promise<void> {
    this.#ended.abort();
    await this.#refreshing;
  }

  async #keepFresh(
    context: Pick<RuntimeContext, "metrics" | "config">,
    known: Known,
    onProblem: (error: unknown) => void,
  ): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      await pause(known.config.refreshMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      const readAt = performance.now();
      try {
        const rows = await readAll(context, known.plan, known.config);
        Object.assign(known, { rows, readAt });
      } catch (error) {
        if (!signal.aborted) onProblem(error);
      }
    }
  }
}

function tableOf({ name }: LookupPlan): string {
  return quote(`lookup ${name}`);
}

/** @throws LookupInvalid when the table has too many rows, or lacks a column */
async function readAll(
  { metrics, config: workload }: Pick<RuntimeContext, "metrics" | "config">,
  plan: LookupPlan,
  config: LookupConfig,
): Promise<string> {
  const [name = "", schema = "public"] = config.table.split(".").reverse();
  const values = [...plan.on.map(({ column }) => column), ...plan.columns.map((column) => column.name)];
  const list = values.map((column) => `${identifier(column)}::text`).join(", ");
  const { pipeline, stage } = workload;
  const connection = await Connection.open({
    secret: config.secret,
    applicationName: `caudal ${pipeline.namespace}/${pipeline.name} ${stage.name} lookup ${plan.name}`,
    onCall: callObserver(metrics),
    statementTimeoutMs: STATEMENT_MS,
  });
  try {
    const { rows } = await connection.query<{ count: string; rows: string }>("read lookup", {
      text: `select count(*) as count, coalesce(json_agg(r.row)::text, '[]') as rows
        from (select json_build_array(${list}) as row from ${identifier(schema)}.${identifier(name)}
          limit ${config.maxRows + 1}) as r`,
    });
    const [all] = rows;
    if (Number(all?.count) > config.maxRows)
      throw new LookupInvalid(
        `lookup ${plan.name}: table ${config.table} has more than ${config.maxRows} rows: raise maxRows, for they are held in memory, or name a view with fewer`,
      );
    return all?.rows ?? "[]";
  } finally {
    await connection.close();
  }
}

/** Gives DuckDB the newest rows, where it does not have them yet. */
async function load(duckdb: DuckDB, known: Known): Promise<void> {
  const { plan, config, rows, readAt } = known;
  const age = performance.now() - readAt;
  if (age > Math.max(STALE_MS, STALE_REFRESHES * config.refreshMs))
    throw new LookupStale(
      `lookup ${plan.name}: table ${config.table} could not be read for ${Math.round(age / 1000)} s: events wait until it can`,
    );
  if (known.loaded === rows) return;
  const all = [
    ...plan.on.map(({ column, duckdbType }) => ({ name: `key ${column}`, duckdbType })),
    ...plan.columns.map(({ name, duckdbType }) => ({ name: `value ${name}`, duckdbType })),
  ];
  const cast = all.map(({ name, duckdbType }, index) => `r[${index + 1}]::${duckdbType} as ${quote(name)}`);
  const statement = await duckdb.connection.prepare(
    `create or replace temp table ${tableOf(plan)} as select ${cast.join(", ")}, true as "#found"
     from (select unnest(from_json(decode($1::blob)::json, ${text('[["VARCHAR"]]')})) as r)`,
  );
  try {
    statement.bindBlob(1, Buffer.from(rows));
    await statement.run();
  } catch (error) {
    throw new LookupInvalid(
      `lookup ${plan.name}: a value of table ${config.table} is not of its column's type: ${describeError(error)}`,
      { cause: error },
    );
  } finally {
    statement.destroySync();
  }
  const keys = plan.on.map(({ column }) => quote(`key ${column}`));
  const [twice] = await duckdb.rows(
    `select ${keys.map((key) => `${key}::varchar`).join(` || ', ' || `)} as key from ${tableOf(plan)}
     where ${keys.map((key) => `${key} is not null`).join(" and ")} group by ${keys.join(", ")} having count(*) > 1 limit 1`,
  );
  if (twice !== undefined)
    throw new LookupInvalid(
      `lookup ${plan.name}: several rows of table ${config.table} have ${plan.on.map(({ column }) => column).join(", ")} = ${String(twice["key"])}: name columns in \`match\` that tell rows apart, or a view that has one row for each`,
    );
  known.loaded = rows;
}
