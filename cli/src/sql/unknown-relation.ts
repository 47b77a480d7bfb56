/** Words for a query that names what is not there. Pure. */
import { StatementFailed } from "../errors.ts";
import type { Catalog } from "./catalog.ts";
import { didYouMean } from "./guess.ts";
import type { Relation } from "./relations.ts";
import { namesOf } from "./show.ts";

/**
 * What PostgreSQL or DuckDB say of a name that is no relation, with what it may have meant.
 *
 * @param source the statement as it was typed
 * @param relations that it names and nothing has
 * @returns the error as it is, where it is about something else
 */
export function aboutRelation(
  error: unknown,
  source: string,
  relations: readonly Relation[],
  catalog: Catalog,
): unknown {
  if (!(error instanceof StatementFailed)) return error;
  const { at, missing, isSyntax } = error;
  const there = at === undefined ? undefined : relations.find(({ from, to }) => from <= at && at < to);
  // To a database a name with dashes is no name, but a syntax error.
  if (there !== undefined && (missing !== undefined || (isSyntax && !/^[\w$".]+$/.test(there.name))))
    return noRelation(source.slice(there.from, there.to), catalog, there.from, error);
  return missing === undefined ? error : noRelation(missing, catalog, at, error);
}

/** @param written the name as it was typed @param what could have stood there */
export function noRelation(
  written: string,
  catalog: Catalog,
  at: number | undefined,
  cause?: unknown,
  what = "topic or table",
): StatementFailed {
  const name = written.replaceAll(/^["'`]|["'`]$/g, "");
  const stream = catalog.streams.find(({ transform }) => transform.name === name)?.transform;
  const targets = (stream?.to ?? []).flatMap(({ topic, table }) => topic ?? table?.name ?? []);
  const all = namesOf(catalog);
  const said =
    stream !== undefined && targets.length > 0
      ? `${name} is a stream, which is asked by what it writes: FROM ${targets.join(" or FROM ")}`
      : `there is no ${what} ${written}${didYouMean(name, all, all.length === 0 ? "" : `: there is ${all.join(", ")}`)}`;
  return new StatementFailed(said, { at, cause });
}
