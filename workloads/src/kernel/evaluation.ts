/**
 * The user's SQL over good events, by DuckDB: a column for each expression that is more than a field, and for each
 * condition. An expression that fails takes its events out, never the others.
 */
import type { TopicConfig } from "@caudal/crds";
import { type Finding, finding, duckdbTypeOf, quote, isText, isTime, mayBeInfinite } from "@caudal/pipeline/sql";
import { type DuckDB, isSpent } from "@caudal/pipeline/duckdb";
import { apart, type Attempt } from "./apart.ts";
import type { Column, NumberColumn } from "./columns.ts";
import { ROW } from "./event-columns.ts";
import { EventTable } from "./event-table.ts";
import { type BesideEvents, type BoundQuery, FewEvents } from "./few-events.ts";
import type { Flight, Origin } from "./flights.ts";
import { type Evaluated, Memo } from "./memo.ts";
import { type TimeLimits, withinTime } from "./time-limit.ts";
import { readColumns, type Wanted } from "./transfer.ts";

const FATAL = finding(
  "EvaluationFailed",
  "the process that evaluated the event ended twice: it takes more memory than the stage has, or does not end",
);
/** Longer texts are of no use to an output, and many of them would fill the memory. */
const MAX_TEXT_BYTES = 16 * 1024 * 1024;

/** One expression and the column that gets its values. */
export interface Computed {
  readonly name: string;
  readonly sql: string;
  /** Name of the column that must be true for the expression to be evaluated. */
  readonly when: string | null;
  readonly duckdbType: string;
  readonly column: Column;
}

export type Condition = Computed & { readonly column: NumberColumn };

/** What is evaluated together. */
export interface Computation {
  /** Events for which this is not true are left out. */
  readonly where: string | undefined;
  readonly conditions: readonly Condition[];
  readonly values: readonly Computed[];
  /** Fields that all of it reads. */
  readonly inputs: ReadonlySet<string>;
}

/** Tables beside the events: each is a struct of an event. */
export interface Joined {
  readonly names: readonly string[];
  /** Gives DuckDB their newest rows, where it does not have them yet. */
  load(duckdb: DuckDB): Promise<void>;
  /** The query that adds the structs to those events that a query gives. */
  joined(events: string): string;
  /**
   * For a few events, the rows that are theirs, where it needs no join to know them: undefined where it does.
   *
   * @param fields columns of the events, by name
   */
  beside(fields: ReadonlyMap<string, Column>, rows: Int32Array): BesideEvents | undefined;
}

/** Where evaluation takes place. */
export interface EvaluationHost {
  duckdb(): Promise<DuckDB>;
  /** Closes the DuckDB that there is: the next call of {@link duckdb} opens another one. */
  renew(): Promise<void>;
  readonly limits: TimeLimits;
  /** Of the slice that is evaluated. */
  readonly origin: Origin;
  readonly flight: Flight | undefined;
}

export class Evaluation {
  readonly #host: EvaluationHost;
  readonly #events: EventTable;
  readonly #few: FewEvents;
  /** By name, of all that the SQL reads. */
  readonly #columns: ReadonlyMap<string, Column>;
  readonly #lookups: Joined | undefined;
  readonly #where: string | undefined;
  readonly #conditions: readonly Condition[];
  readonly #values: readonly Computed[];
  readonly #checks: readonly Check[];
  /** Where the results go. */
  readonly #wanted: readonly Wanted[];
  /** What of the events the expressions read, and the tables beside them. */
  readonly #fields: readonly string[];
  /** Where all that they read are texts. */
  readonly #memo: Memo | undefined;

  /**
   * @param fields columns by field name, of all fields that the SQL reads
   * @param lookups tables beside the events
   * @param name of this one among those of the same DuckDB
   */
  constructor(
    host: EvaluationHost,
    { where, conditions, values, inputs }: Computation,
    topic: TopicConfig,
    fields: ReadonlyMap<string, Column>,
    lookups?: Joined,
    name = "",
  ) {
    this.#host = host;
    this.#lookups = lookups;
    this.#where = where;
    this.#conditions = conditions;
    this.#values = values;
    this.#checks = checksOf(values);
    this.#wanted = [...conditions, ...values].map(({ name, duckdbType, column }) => ({
      sql: name,
      duckdbType,
      column,
    }));
    const read = topic.fields.flatMap(({ name, type }) => {
      const column = inputs.has(name) ? fields.get(name) : undefined;
      return column === undefined ? [] : [[name, duckdbTypeOf(type), column] as const];
    });
    this.#fields = [...read.map(([name]) => name), ...(lookups?.names ?? [])].map(quote);
    this.#events = new EventTable(read, name);
    this.#few = new FewEvents(read);
    this.#columns = fields;
    const texts = read.map(([, , column]) => column).filter((column) => column.kind === "text");
    // What a lookup gives changes with time: it is never remembered.
    if (lookups === undefined && texts.length > 0 && texts.length === read.length)
      this.#memo = new Memo(texts, this.columns);
  }

  /** Columns of what is evaluated. */
  get columns(): readonly Column[] {
    return [...this.#conditions, ...this.#values].map(({ column }) => column);
  }

  /** Whether there is anything to evaluate: tables of plain fields need no DuckDB. */
  get needed(): boolean {
    return this.#where !== undefined || this.#conditions.length + this.#values.length > 0;
  }

  /** Evaluates over the events of the rows. */
  async run(rows: Int32Array): Promise<Evaluated> {
    return this.#memo === undefined
      ? await this.#runRows(rows)
      : await this.#memo.run(rows, async (some) => await this.#runRows(some));
  }

  async #runRows(rows: Int32Array): Promise<Evaluated> {
    const { flight, origin } = this.#host;
    const passed: number[] = [];
    const findings = new Map<number, Finding>();
    const alone = (row: number, error: unknown): void => {
      findings.set(row, finding("EvaluationFailed", messageOf(error)));
    };
    const evaluate = async (duckdb: DuckDB, some: Int32Array, loaded: Loaded): Promise<void> => {
      const evaluated = await this.#bounded(duckdb, some, loaded);
      for (const row of evaluated.rows) passed.push(row);
      for (const [row, why] of evaluated.findings) findings.set(row, why);
    };
    const evaluateFew = async (some: Int32Array): Promise<void> => {
      const duckdb = await this.#host.duckdb();
      await this.#lookups?.load(duckdb);
      await evaluate(duckdb, some, await this.#fewOf(some));
    };
    const evaluateMany = async (some: Int32Array): Promise<void> => {
      let has: DuckDB | undefined;
      let query = "";
      const attempt = async (part: Int32Array): Promise<void> => {
        const duckdb = await this.#host.duckdb();
        // One that failed may have given way to another.
        if (duckdb !== has) query = await this.#load(duckdb, some);
        has = duckdb;
        await evaluate(duckdb, part, { query, among: part === some ? undefined : part });
      };
      await apart(some, this.#renewing(attempt), alone);
    };
    const attempt = async (some: Int32Array): Promise<void> =>
      await (this.#few.holds(some) ? evaluateFew(some) : evaluateMany(some));
    const { runs, condemned } = flight?.divide(rows, origin) ?? { runs: [rows], condemned: [] };
    for (const row of condemned) findings.set(row, FATAL);
    for (const run of runs) await apart(run, this.#renewing(attempt), alone);
    flight?.survived(rows, origin);
    return { rows: Int32Array.from(passed), findings };
  }

  /** What follows an error after which DuckDB is of no use, or holds what others need, has another one. */
  #renewing(attempt: Attempt): Attempt {
    return async (some) => {
      try {
        await attempt(some);
      } catch (error) {
        if (isSpent(error)) await this.#host.renew();
        throw error;
      }
    };
  }

  /** Gives DuckDB many events. @returns the query that gives them back, with the tables beside them */
  async #load(duckdb: DuckDB, rows: Int32Array): Promise<string> {
    const events = await this.#events.load(duckdb, rows);
    await this.#lookups?.load(duckdb);
    return this.#lookups?.joined(events) ?? events;
  }

  /** A few events, as parameters of a statement that stays planned. */
  async #fewOf(rows: Int32Array): Promise<Loaded> {
    const beside = this.#lookups?.beside(this.#columns, rows);
    const { query, bind } = await this.#few.relation(rows, beside);
    return { query: beside === undefined ? (this.#lookups?.joined(query) ?? query) : query, bind };
  }

  /** Evaluates within the limit of time, with a note of it for the next life of this process. */
  async #bounded(duckdb: DuckDB, some: Int32Array, loaded: Loaded): Promise<Evaluated> {
    const { flight, origin, limits } = this.#host;
    const evaluate = async () => await this.#evaluate(duckdb, loaded);
    if (flight === undefined) return await withinTime(duckdb, some.length, limits, evaluate, () => undefined);
    return await flight.during(
      some,
      origin,
      async () => await withinTime(duckdb, some.length, limits, evaluate, () => flight.beginAnew()),
    );
  }

  /**
   * Evaluates over events that are loaded, and fills the columns.
   *
   * @returns the rows that passed, and those that no table could keep
   */
  async #evaluate(duckdb: DuckDB, loaded: Loaded): Promise<Evaluated> {
    const from = `(${this.#query(loaded)}) as evaluated`;
    const unfit = this.#checks.map(isTrue).join(" or ");
    const how = { row: ROW, isLasting: loaded.among === undefined, ...bindOf(loaded) };
    const rows = await readColumns(duckdb, { ...how, from, ...(unfit === "" ? {} : { unless: unfit }) }, this.#wanted);
    if (rows !== undefined) return { rows: Int32Array.from(rows), findings: new Map() };
    const findings = await this.#findUnfit(duckdb, from, loaded);
    const fit = await readColumns(duckdb, { ...how, from: `${from} where not (${unfit})` }, this.#wanted);
    return { rows: Int32Array.from(fit ?? []), findings };
  }

  #query({ query, among: rows }: Loaded): string {
    const guarded = ({ sql, when }: Computed) => (when === null ? `(${sql})` : `case when ${when} then (${sql}) end`);
    const columns = (list: readonly Computed[]) =>
      list.map((computed) => `${guarded(computed)}::${computed.duckdbType} as ${computed.name}`);
    const some = rows === undefined ? "true" : among(rows);
    return `select ${[ROW, ...this.#conditions.map(({ name }) => name), ...columns(this.#values)].join(", ")}
from (select ${[ROW, ...this.#fields, ...columns(this.#conditions)].join(", ")} from (${query}) as event where ${some} and ${this.#where === undefined ? "true" : `(${this.#where})`})`;
  }

  /** The values that no table could keep. */
  async #findUnfit(duckdb: DuckDB, from: string, { bind }: Loaded): Promise<ReadonlyMap<number, Finding>> {
    const found = new Map<number, Finding>();
    const conditions = this.#checks.map(isTrue);
    const statement = await duckdb.prepared(
      `select ${ROW} as n, list_position([${conditions.join(", ")}], true) as c from ${from} where ${conditions.join(" or ")}`,
    );
    bind?.(statement);
    const rows = (await statement.runAndReadAll()).getRowObjectsJson();
    for (const { n, c } of rows) {
      const check = this.#checks[Number(c) - 1];
      if (check !== undefined) found.set(Number(n), check.found);
    }
    return found;
  }
}

/** Events that DuckDB has, or gets with the query. */
interface Loaded extends Partial<BoundQuery> {
  readonly query: string;
  /** Of them, those that are to be evaluated; without it, all. */
  readonly among?: Int32Array | undefined;
}

const bindOf = ({ bind }: Loaded) => (bind === undefined ? {} : { bind });

/** What no table could keep: NUL in text, numbers that are not finite, times out of range. */
interface Check {
  readonly condition: string;
  readonly found: Finding;
}

const isTrue = ({ condition }: Check): string => `coalesce(${condition}, false)`;

function checksOf(values: readonly Computed[]): Check[] {
  const checks: Check[] = [];
  for (const { name, sql, duckdbType } of values) {
    if (isText(duckdbType))
      checks.push({
        condition: `contains(${name}, chr(0))`,
        found: finding("NulInText", `${sql} gives a text with NUL`),
      });
    if (isText(duckdbType))
      checks.push({
        condition: `strlen(${name}) > ${MAX_TEXT_BYTES}`,
        found: finding("EvaluationFailed", `${sql} gives a text of more than 16 MiB`),
      });
    if (mayBeInfinite(duckdbType))
      checks.push({
        condition: `not isfinite(${name})`,
        found: finding("EvaluationFailed", `${sql} does not give a finite ${isTime(duckdbType) ? "time" : "number"}`),
      });
    if (isTime(duckdbType))
      checks.push({
        condition: `isfinite(${name}) and year(${name}) not between 1 and 9999`,
        found: finding("OutOfRange", `${sql} gives a year before 1 or after 9999`),
      });
  }
  return checks;
}

/** Condition over the loaded rows that leaves these, which follow each other. */
function among(rows: Int32Array): string {
  return rows.length === 0 ? "false" : `${ROW} between ${rows[0] as number} and ${rows.at(-1) as number}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
