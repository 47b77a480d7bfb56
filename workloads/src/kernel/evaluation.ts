/**
 * The user's SQL over good events, by DuckDB: a column for each expression that is more than a field, and for each
 * condition. An expression that fails takes its events out, never the others.
 */
import type { TopicConfig } from "@caudal/crds";
import { type Finding, finding } from "../sql/bad-rows.ts";
import type { DuckDB } from "../sql/duckdb.ts";
import { duckdbTypeOf } from "../sql/fields.ts";
import { quote } from "../sql/quote.ts";
import { isText, isTime, mayBeInfinite } from "../sql/types.ts";
import type { Column, NumberColumn } from "./columns.ts";
import { ROW, rowList } from "./event-columns.ts";
import { EventTable } from "./event-table.ts";
import { type Evaluated, Memo } from "./memo.ts";
import { readColumns, type Wanted } from "./transfer.ts";

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

/** Tables beside the events: each is a struct in the table `event`. */
export interface Joined {
  readonly names: readonly string[];
  /** Adds the structs to the table `event` as it is now. */
  join(duckdb: DuckDB): Promise<void>;
}

export class Evaluation {
  readonly #duckdb: () => Promise<DuckDB>;
  readonly #events: EventTable;
  readonly #lookups: Joined | undefined;
  readonly #where: string | undefined;
  readonly #conditions: readonly Condition[];
  readonly #values: readonly Computed[];
  readonly #checks: readonly Check[];
  /** Where the results go. */
  readonly #wanted: readonly Wanted[];
  /** What of the table `event` the expressions read. */
  readonly #fields: readonly string[];
  /** Where all that they read are texts. */
  readonly #memo: Memo | undefined;

  /**
   * @param fields columns by field name, of all fields that the SQL reads
   * @param lookups tables beside the events
   * @param name of this one among those of the same DuckDB
   */
  constructor(
    duckdb: () => Promise<DuckDB>,
    { where, conditions, values, inputs }: Computation,
    topic: TopicConfig,
    fields: ReadonlyMap<string, Column>,
    lookups?: Joined,
    name = "",
  ) {
    this.#duckdb = duckdb;
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
    const duckdb = await this.#duckdb();
    await this.#events.load(duckdb, rows);
    await this.#lookups?.join(duckdb);
    return (await this.#runAtOnce(duckdb)) ?? (await this.#runInSteps(duckdb));
  }

  /** In one statement. @returns undefined when an event cannot be evaluated, or no table could keep what it gives */
  async #runAtOnce(duckdb: DuckDB): Promise<Evaluated | undefined> {
    const unless = this.#checks.length === 0 ? {} : { unless: this.#checks.map(isTrue).join(" or ") };
    try {
      const left = await readColumns(
        duckdb,
        { from: `(${this.#query()}) as evaluated`, row: ROW, ...unless },
        this.#wanted,
      );
      return left === undefined ? undefined : { rows: Int32Array.from(left), findings: new Map() };
    } catch {
      return undefined;
    }
  }

  /** Finds the events that cannot be evaluated, and goes on without them. */
  async #runInSteps(duckdb: DuckDB): Promise<Evaluated> {
    const findings = new Map(await this.#evaluate(duckdb));
    const unfit = await this.#findUnfit(duckdb);
    if (unfit.size > 0) await duckdb.connection.run(`delete from evaluated where ${ROW} in (${rowList(unfit.keys())})`);
    for (const [row, why] of unfit) findings.set(row, why);
    const left = await readColumns(duckdb, { from: "evaluated", row: ROW }, this.#wanted);
    return { rows: Int32Array.from(left ?? []), findings };
  }

  /** @param among condition over the rows of `event` */
  #query(among = "true"): string {
    const guarded = ({ sql, when }: Computed) => (when === null ? `(${sql})` : `case when ${when} then (${sql}) end`);
    const columns = (list: readonly Computed[]) =>
      list.map((computed) => `${guarded(computed)}::${computed.duckdbType} as ${computed.name}`);
    return `select ${[ROW, ...this.#conditions.map(({ name }) => name), ...columns(this.#values)].join(", ")}
from (select ${[ROW, ...this.#fields, ...columns(this.#conditions)].join(", ")} from event where ${among} and ${this.#where === undefined ? "true" : `(${this.#where})`})`;
  }

  async #evaluate(duckdb: DuckDB): Promise<ReadonlyMap<number, Finding>> {
    const create = `create or replace temp table evaluated as ${this.#query()}`;
    try {
      await duckdb.connection.run(create);
      return new Map();
    } catch {
      const failed = await this.#findFailing(duckdb);
      if (failed.size > 0) await duckdb.connection.run(`delete from event where ${ROW} in (${rowList(failed.keys())})`);
      await duckdb.connection.run(create);
      return failed;
    }
  }

  /** Halves the rows until the failing ones stand alone: each with DuckDB's own words. */
  async #findFailing(duckdb: DuckDB): Promise<ReadonlyMap<number, Finding>> {
    const failed = new Map<number, Finding>();
    const rows = (await duckdb.rows(`select ${ROW} as n from event order by 1`)).map(({ n }) => Number(n));
    const probe = async (from: number, to: number): Promise<void> => {
      try {
        await duckdb.connection.run(
          `create or replace temp table probe as ${this.#query(`${ROW} between ${rows[from] ?? 0} and ${rows[to - 1] ?? 0}`)}`,
        );
      } catch (error) {
        if (to - from === 1) {
          failed.set(rows[from] ?? 0, finding("EvaluationFailed", messageOf(error)));
          return;
        }
        const middle = (from + to) >> 1;
        await probe(from, middle);
        await probe(middle, to);
      }
    };
    if (rows.length > 0) await probe(0, rows.length);
    return failed;
  }

  /** The values that no table could keep. */
  async #findUnfit(duckdb: DuckDB): Promise<ReadonlyMap<number, Finding>> {
    const found = new Map<number, Finding>();
    if (this.#checks.length === 0) return found;
    const conditions = this.#checks.map(isTrue);
    const rows = await duckdb.rows(
      `select ${ROW} as n, list_position([${conditions.join(", ")}], true) as c from evaluated where ${conditions.join(" or ")}`,
    );
    for (const { n, c } of rows) {
      const check = this.#checks[Number(c) - 1];
      if (check !== undefined) found.set(Number(n), check.found);
    }
    return found;
  }
}

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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
