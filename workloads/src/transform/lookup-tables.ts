/** Tables beside the events, in DuckDB: each event gets the row that belongs to it as a struct. */
import { structOf, type DuckDB } from "@caudal/pipeline/duckdb";
import type { Column } from "../kernel/columns.ts";
import type { Joined } from "../kernel/evaluation.ts";
import type { BesideEvents } from "../kernel/few-events.ts";
import { KeyedRows, type Row } from "./keyed-rows.ts";
import { describeError, WorkloadError } from "../runtime/errors.ts";
import { quote, text, type LookupPlan } from "@caudal/pipeline/sql";

/** The table does not hold what the lookup needs: a person has to change it or the spec. */
export class LookupInvalid extends WorkloadError {
  readonly code = "ELOOKUPINVALID";
  readonly reason = "LookupInvalid";
  readonly retryable = false;
}

/** All that is known of a lookup's table. */
export interface LookupTable {
  readonly plan: LookupPlan;
  /** Name of the table, for messages. */
  readonly table: string;
  /** Its rows as a JSON list of lists of texts: the columns that are matched, then the others. */
  readonly rows: string;
}

interface Loaded {
  current: LookupTable;
  /** The rows that DuckDB has, and which DuckDB. */
  rows: string | undefined;
  home: DuckDB | undefined;
  /** The same by key; undefined where only DuckDB can say which of them are an event's. */
  matches: KeyedRows | undefined;
}

export class LookupTables implements Joined {
  readonly names: readonly string[];
  readonly #tables: readonly Loaded[];

  constructor(tables: readonly LookupTable[]) {
    this.#tables = tables.map((current) => ({ current, rows: undefined, home: undefined, matches: undefined }));
    this.names = tables.map(({ plan }) => plan.name);
  }

  /** Rows for the events from the next load on. */
  replace(table: LookupTable): void {
    const known = this.#tables.find(({ current }) => current.plan.name === table.plan.name);
    if (known !== undefined) known.current = table;
  }

  /** @throws LookupInvalid */
  async load(duckdb: DuckDB): Promise<void> {
    for (const table of this.#tables) await load(duckdb, table);
  }

  /** After {@link load}: the rows are those that DuckDB has. */
  beside(fields: ReadonlyMap<string, Column>, rows: Int32Array): BesideEvents | undefined {
    const lists = new Map<string, readonly (string | null)[]>();
    const structs: string[] = [];
    for (const [index, { current, matches }] of this.#tables.entries()) {
      const found = matches?.of(fields, rows);
      if (found === undefined) return undefined;
      const { plan } = current;
      const name = (place: number) => `#lookup ${index} ${place}`;
      const keys = plan.on.length;
      lists.set(
        name(0),
        found.map((row) => (row === undefined ? null : "found")),
      );
      for (const place of plan.columns.keys())
        lists.set(
          name(place + 1),
          found.map((row) => row?.[keys + place] ?? null),
        );
      structs.push(
        structFrom(plan, `${quote(name(0))} is not null`, (column) => {
          const place = plan.columns.findIndex((one) => one.name === column);
          return `${quote(name(place + 1))}::${plan.columns[place]?.duckdbType ?? "VARCHAR"}`;
        }),
      );
    }
    return { lists, structs };
  }

  joined(events: string): string {
    const plans = this.#tables.map(({ current }) => current.plan);
    const structs = plans.map((plan, index) =>
      structFrom(plan, `l${index}."#found"`, (name) => `l${index}.${quote(`value ${name}`)}`),
    );
    const joins = plans.map((plan, index) => {
      const on = plan.on.map(({ column, field }) => `l${index}.${quote(`key ${column}`)} = e.${quote(field)}`);
      return `left join ${tableOf(plan)} l${index} on ${on.join(" and ")}`;
    });
    return `select ${["e.*", ...structs].join(", ")} from (${events}) e ${joins.join(" ")}`;
  }
}

/** Expression of an event's struct. @param found whether it has a row @param value of a column of that row */
function structFrom(plan: LookupPlan, found: string, value: (column: string) => string): string {
  const members = plan.columns.map(({ name }) => `${quote(name)} := ${value(name)}`);
  return `case when ${found} then struct_pack(${members.join(", ")})::${structOf(plan)} end as ${quote(plan.name)}`;
}

function tableOf({ name }: LookupPlan): string {
  return quote(`lookup ${name}`);
}

/** Gives DuckDB the newest rows, where it does not have them yet. */
async function load(duckdb: DuckDB, known: Loaded): Promise<void> {
  const { plan, table, rows } = known.current;
  if (known.rows === rows && known.home === duckdb) return;
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
      `lookup ${plan.name}: a value of table ${table} is not of its column's type: ${describeError(error)}`,
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
      `lookup ${plan.name}: several rows of table ${table} have ${plan.on.map(({ column }) => column).join(", ")} = ${String(twice["key"])}: name columns in \`match\` that tell rows apart, or a view that has one row for each`,
    );
  known.rows = rows;
  known.home = duckdb;
  known.matches = KeyedRows.from(plan, JSON.parse(rows) as Row[]);
}
