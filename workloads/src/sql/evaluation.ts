/**
 * The user's SQL over good events: the table `evaluated` has a column for each expression that is more than a field, and
 * for each table whether an event is in it. An expression that fails takes its events out, never the others.
 */
import { type Finding, finding } from "./bad-rows.ts";
import { keyBytes } from "./census.ts";
import type { DuckDB } from "./duckdb.ts";
import { ROW, rowList, TIME } from "./event-columns.ts";
import type { AggregatorPlan, TablePlan } from "./plan.ts";
import { quote } from "./quote.ts";
import { isText, isTime, mayBeInfinite } from "./types.ts";

/** Columns of one table of the plan in the table `evaluated` (or `event`). */
export interface TableColumns {
  readonly table: TablePlan;
  /** Condition that an event is in the table, "true" without any. */
  readonly inside: string;
  readonly groups: readonly string[];
  /** By aggregate, by part. */
  readonly arguments: readonly string[];
}

interface Computed {
  readonly column: string;
  readonly sql: string;
  /** Column that must be true for the expression to be evaluated. */
  readonly when: string | null;
  readonly duckdbType: string;
}

/** PostgreSQL's indexes hold entries of up to 2,704 bytes; columns that are no text take the rest. */
export const MAX_KEY_BYTES = 1024;

export class Evaluation {
  readonly tables: readonly TableColumns[];
  /** The table that holds the columns above. */
  readonly source: string;
  readonly #duckdb: DuckDB;
  readonly #where: string | undefined;
  readonly #conditions: readonly Computed[];
  readonly #values: readonly Computed[];
  readonly #fields: readonly string[];

  constructor(duckdb: DuckDB, plan: AggregatorPlan) {
    const conditions: Computed[] = [];
    const values = new Map<string, Computed>();
    const fields = new Set([...plan.fields, ...plan.tables.flatMap((table) => table.fields)]);
    this.tables = plan.tables.map((table, index) => {
      const inside = table.where === undefined ? null : quote(`#in ${index}`);
      if (inside !== null && table.where !== undefined)
        conditions.push({
          column: inside,
          sql: `coalesce((${table.where}), false)`,
          when: null,
          duckdbType: "BOOLEAN",
        });
      const columnOf = (sql: string, duckdbType: string): string => {
        if (fields.has(sql)) return quote(sql);
        if (sql === "true") return sql;
        const key = JSON.stringify([inside, sql, duckdbType]);
        const known = values.get(key) ?? { column: quote(`#value ${values.size}`), sql, when: inside, duckdbType };
        values.set(key, known);
        return known.column;
      };
      return {
        table,
        inside: inside ?? "true",
        groups: table.groups.map((group) => columnOf(group.expression, group.duckdbType)),
        arguments: table.aggregates.flatMap(({ parts }) => {
          // Parts share their argument; the type of a sum says enough about it to know what may be infinite.
          const type = parts[0]?.duckdbType ?? "BIGINT";
          return parts.map((part) => columnOf(part.expression, type));
        }),
      };
    });
    this.#duckdb = duckdb;
    this.#where = plan.where;
    this.#conditions = conditions;
    this.#values = [...values.values()];
    this.#fields = [...fields].map(quote);
    this.source = plan.where === undefined && conditions.length + values.size === 0 ? "event" : "evaluated";
  }

  /** Evaluates over `event`. @returns why the events that cannot be evaluated, and are taken out of `evaluated`, cannot */
  async run(): Promise<ReadonlyMap<number, Finding>> {
    if (this.source === "event") return new Map();
    const found = new Map(await this.#evaluate());
    const unfit = await this.#findUnfit();
    if (unfit.size > 0) await this.takeOut(unfit.keys());
    for (const [row, why] of unfit) found.set(row, why);
    return found;
  }

  /** Removes rows from the table that holds the columns. */
  async takeOut(rows: Iterable<number>): Promise<void> {
    await this.#duckdb.connection.run(`delete from ${this.source} where ${ROW} in (${rowList(rows)})`);
  }

  /** @param among condition over the rows of `event` */
  #query(among = "true"): string {
    const guarded = ({ sql, when }: Computed) => (when === null ? `(${sql})` : `case when ${when} then (${sql}) end`);
    const columns = (list: readonly Computed[]) => list.map((computed) => `${guarded(computed)} as ${computed.column}`);
    const passed = [ROW, TIME, ...this.#fields];
    return `select ${[...passed, ...this.#conditions.map(({ column }) => column), ...columns(this.#values)].join(", ")}
from (select ${[...passed, ...columns(this.#conditions)].join(", ")} from event where ${among} and ${this.#where === undefined ? "true" : `(${this.#where})`})`;
  }

  async #evaluate(): Promise<ReadonlyMap<number, Finding>> {
    const create = `create or replace temp table evaluated as ${this.#query()}`;
    try {
      await this.#duckdb.connection.run(create);
      return new Map();
    } catch {
      const failed = await this.#findFailing();
      if (failed.size > 0)
        await this.#duckdb.connection.run(`delete from event where ${ROW} in (${rowList(failed.keys())})`);
      await this.#duckdb.connection.run(create);
      return failed;
    }
  }

  /** Halves the rows until the failing ones stand alone: each with DuckDB's own words. */
  async #findFailing(): Promise<ReadonlyMap<number, Finding>> {
    const failed = new Map<number, Finding>();
    const rows = (await this.#duckdb.rows(`select ${ROW} as n from event order by 1`)).map(({ n }) => Number(n));
    const probe = async (from: number, to: number): Promise<void> => {
      try {
        await this.#duckdb.connection.run(
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

  /** Results that no table could keep: NUL in text, numbers that are not finite, times out of range. */
  async #findUnfit(): Promise<ReadonlyMap<number, Finding>> {
    const checks: { readonly condition: string; readonly found: Finding }[] = [];
    for (const { column, sql, duckdbType } of this.#values) {
      if (isText(duckdbType))
        checks.push({
          condition: `contains(${column}, chr(0))`,
          found: finding("NulInText", `${sql} gives a text with NUL`),
        });
      if (mayBeInfinite(duckdbType))
        checks.push({
          condition: `not isfinite(${column})`,
          found: finding("EvaluationFailed", `${sql} does not give a finite ${isTime(duckdbType) ? "time" : "number"}`),
        });
      if (isTime(duckdbType))
        checks.push({
          condition: `isfinite(${column}) and year(${column}) not between 1 and 9999`,
          found: finding("OutOfRange", `${sql} gives a year before 1 or after 9999`),
        });
    }
    const found = new Map<number, Finding>();
    if (checks.length === 0) return found;
    const conditions = checks.map(({ condition }) => `coalesce(${condition}, false)`);
    const rows = await this.#duckdb.rows(
      `select ${ROW} as n, list_position([${conditions.join(", ")}], true) as c from ${this.source} where ${conditions.join(" or ")}`,
    );
    for (const { n, c } of rows) {
      const check = checks[Number(c) - 1];
      if (check !== undefined) found.set(Number(n), check.found);
    }
    return found;
  }

  /** Finds events whose group key is too long for an index of PostgreSQL. */
  async findLongKeys(): Promise<ReadonlyMap<number, Finding>> {
    const found = new Map<number, Finding>();
    for (const columns of this.tables) {
      const length = keyBytes(columns);
      if (length === null) continue;
      const rows = await this.#duckdb.rows(
        `select ${ROW} as n, ${length} as l from ${this.source} where ${columns.inside} and ${length} > ${MAX_KEY_BYTES}`,
      );
      for (const { n, l } of rows)
        found.set(
          Number(n),
          finding(
            "GroupKeyTooLong",
            `the group of ${columns.table.name} has ${Number(l)} bytes of text, more than ${MAX_KEY_BYTES}`,
          ),
        );
    }
    return found;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
