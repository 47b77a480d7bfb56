/** What DuckDB's binder makes of an expression, before anything of it is optimized away. */
import type { DuckDB } from "./duckdb.ts";

export interface BoundPlan {
  /** Operators of the plan, such as LOGICAL_PROJECTION and LOGICAL_UNNEST. */
  readonly operators: ReadonlySet<string>;
  /** Types that a value is cast to, by where the value begins in the SQL; casts that give NULL instead of failing are not among them. */
  readonly casts: ReadonlyMap<number, readonly unknown[]>;
}

/** The plan as DuckDB prints it. @param sql a select that binds */
export async function serializedPlan(duckdb: DuckDB, sql: string): Promise<unknown> {
  const [row] = await duckdb.rows("select json_serialize_plan($1::varchar, optimize := false)::varchar as plan", [sql]);
  return JSON.parse(String(row?.["plan"])) as unknown;
}

/** @param sql a select that binds */
export async function readPlan(duckdb: DuckDB, sql: string): Promise<BoundPlan> {
  const operators = new Set<string>();
  const casts = new Map<number, unknown[]>();
  visit(await serializedPlan(duckdb, sql), (node) => {
    if (typeof node["type"] === "string" && node["type"].startsWith("LOGICAL_")) operators.add(node["type"]);
    const place = castPlace(node);
    if (place !== undefined) casts.set(place, [...(casts.get(place) ?? []), node["return_type"]]);
  });
  return { operators, casts };
}

function castPlace({ expression_class: kind, try_cast: tried, child }: Part): number | undefined {
  if (kind !== "BOUND_CAST" || tried !== false || !isPart(child)) return undefined;
  const { query_location: place } = child;
  // What the binder made itself has no place.
  return Number.isSafeInteger(place) ? (place as number) : undefined;
}

type Part = Readonly<Record<string, unknown>>;

function isPart(value: unknown): value is Part {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function visit(value: unknown, found: (part: Part) => void): void {
  if (isPart(value)) found(value);
  if (typeof value === "object" && value !== null) for (const child of Object.values(value)) visit(child, found);
}
