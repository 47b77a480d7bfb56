/**
 * Whether what is sent is still all of the table. What DDL does to rows is neither in the log nor in any row: partitions
 * come with rows and go with them, a column is made anew, a publication leaves something out. So what the table is made of
 * is kept with the place, and compared again at each start, every few seconds, and when the log speaks of a table that
 * was not known. What cannot be followed stops the source with what to do, and is never passed over in silence.
 */
import { createHash } from "node:crypto";
import { qualified } from "../postgres/core/identifiers.ts";
import { readTable } from "./catalog.ts";
import { compareEdges, readEdges, writeEdges } from "./core/known-edges.ts";
import type { FollowedTable, Place } from "./core/place.ts";
import { checkIdentity, type Layout, type Table } from "./core/table.ts";
import { SourceChanged, SourceMismatch, SourceReplaced, SourceTableMissing, TableTruncated } from "./errors.ts";
import type { RuntimeContext } from "../runtime/role.ts";
import { readRelatives, readStanding, type Relative, type Standing } from "./relatives.ts";
import type { Session } from "./session.ts";

const LOOK_MS = 5_000;
/** Of the text that a place has room for beside a snapshot's. */
const MOST_OF_EDGES = 1_500;

/** What of a session it takes to follow the table. */
export type FollowedSession = Pick<
  Session,
  "connection" | "config" | "table" | "layout" | "place" | "of" | "origin"
> & {
  readonly context: Pick<RuntimeContext, "log" | "metrics">;
};

/** @throws SourceMismatch for what belongs to the table and cannot be followed */
export async function checkFamily(session: FollowedSession): Promise<Standing> {
  const standing = await standingOf(session);
  const oids = standing.edges.map(({ oid }) => oid);
  checkRelatives(session, await readRelatives(session.connection, oids));
  return standing;
}

export class FollowedSource {
  readonly #session: FollowedSession;
  #known: ReadonlyMap<number, number>;
  #kept: FollowedTable;
  #lookedAt = performance.now();

  private constructor(session: FollowedSession, kept: FollowedTable) {
    this.#session = session;
    this.#kept = kept;
    this.#known = readEdges(kept.edges);
  }

  /** @throws when the table cannot be followed, or is not what it was when the place was kept */
  static async open(session: FollowedSession): Promise<FollowedSource> {
    const { place } = session;
    const standing = await checkFamily(session);
    const followed = new FollowedSource(session, place?.followed ?? followedOf(session.table, session, standing));
    await followed.#compare(standing, session.table);
    return followed;
  }

  place(at: Place["at"]): Place {
    const { of, origin } = this.#session;
    return { of, origin, at, followed: this.#kept };
  }

  /** Looks again, unless it did a moment ago. @throws SourceChanged, TableTruncated and the like */
  async look(): Promise<void> {
    if (performance.now() - this.#lookedAt >= LOOK_MS) await this.#look();
  }

  /** The log speaks of this table: one that is not known yet is looked at. */
  async meet(oid: number): Promise<void> {
    if (oid !== this.#session.table.oid && !this.#known.has(oid)) await this.#look();
  }

  async #look(): Promise<void> {
    const { connection, config, table } = this.#session;
    const title = config.postgres.table;
    const standing = await standingOf(this.#session);
    if (standing.oid === undefined)
      throw new SourceTableMissing(`the table ${title} was dropped or renamed: waiting for one of this name`);
    if (standing.oid !== table.oid)
      throw new SourceReplaced(
        `${title} is another table now: what was sent of the one before says nothing of it; raise postgres.resync (now ${config.postgres.resync}) to send the whole table again`,
      );
    await this.#compare(standing, await readTable(connection, title));
    this.#lookedAt = performance.now();
  }

  async #compare(standing: Standing, table: Table): Promise<void> {
    const { config, connection, context } = this.#session;
    const { postgres } = config;
    const now = followedOf(table, this.#session, standing);
    const again = `raise postgres.resync (now ${postgres.resync}) to send the whole table again`;
    if (postgres.mode === "cdc" && standing.publication === undefined)
      throw new SourceChanged(
        `the publication ${postgres.slot} was dropped, and changes since then are not known: ${again}`,
      );
    if (this.#kept.publication !== undefined && this.#kept.publication !== now.publication)
      throw new SourceChanged(
        `the publication ${postgres.slot} was changed, and which changes it left out meanwhile is not known: ${again}, and leave the publication as it is`,
      );
    // A column that is missing is told of by the log, or by the next query, at the right place.
    if (now.shape !== null && this.#kept.shape !== null && now.shape !== this.#kept.shape)
      throw new SourceChanged(
        `columns of ${postgres.table} that are fields of the topic were made anew or have another type, which may have given rows other values, and nothing tells of these: ${again}`,
      );
    const { came, left } = compareEdges(this.#known, standing.edges);
    const relatives = await readRelatives(connection, came);
    checkRelatives(this.#session, relatives);
    const filled = strangers(relatives).find(({ size }) => size > 0);
    if (filled !== undefined)
      throw new SourceChanged(
        `the table ${filled.schema}.${filled.name} was attached to ${postgres.table} with rows in it, and the log does not tell of these: ${again}; attach empty tables, or create them with partition of`,
      );
    if (left.length > 0 && postgres.mode === "cdc") this.#partitionsLeft(left.length, again);
    if (now.edges.length > MOST_OF_EDGES)
      throw new SourceMismatch(
        `${postgres.table} has ${standing.edges.length} partitions, more than one source can follow: name its partitions as tables of sources of their own`,
      );
    if (came.length > 0) context.log.info({ table: postgres.table, tables: came.length }, "partitions were added");
    this.#kept = { ...now, shape: now.shape ?? this.#kept.shape };
    this.#known = readEdges(now.edges);
  }

  #partitionsLeft(count: number, again: string): void {
    const { config, context } = this.#session;
    const { table, onTruncate } = config.postgres;
    if (onTruncate !== "Ignore")
      throw new TableTruncated(
        `${count === 1 ? "a partition has" : `${count} partitions have`} left ${table} (DETACH or DROP), and the log does not say which rows are gone: ` +
          `set postgres.onTruncate: Ignore to go on without them, and clear the topic's readers yourself; or ${again}`,
      );
    context.log.warn({ table, partitions: count }, "partitions have left the table: passed over");
    context.metrics.sourceTruncates.inc();
  }
}

/** @throws SourceMismatch when tables inherit from it */
async function standingOf({ connection, config, table }: FollowedSession): Promise<Standing> {
  const { mode, onInheritance, slot, table: title } = config.postgres;
  const standing = await readStanding(connection, table, slot);
  const publication = mode === "cdc" ? standing.publication : undefined;
  if (table.partitioned) return { ...standing, publication };
  if (standing.edges.length > 0 && onInheritance !== "Ignore")
    throw new SourceMismatch(
      `tables inherit from ${title}, whose key says nothing of their rows: set postgres.onInheritance: Ignore to send the rows of ${title} alone, and name these tables in sources of their own`,
    );
  return { ...standing, publication, edges: [] };
}

function followedOf(table: Table, { layout }: FollowedSession, { edges, publication }: Standing): FollowedTable {
  return {
    edges: writeEdges(edges),
    shape: shapeOf(layout, table),
    ...(publication === undefined ? {} : { publication }),
  };
}

/** Hash of the columns that are read, in order; null when one of them is missing. */
function shapeOf({ sources }: Layout, { columns }: Table): string | null {
  const shapes = sources.map(({ column }) => columns.find(({ name }) => name === column)?.shape);
  if (shapes.includes(undefined)) return null;
  return createHash("sha256").update(shapes.join(" ")).digest("hex").slice(0, 12);
}

/** @throws SourceMismatch for what belongs to the table and cannot be read as it is */
function checkRelatives({ config, layout, table }: FollowedSession, relatives: readonly Relative[]): void {
  const { mode, table: title } = config.postgres;
  if (!table.partitioned) return;
  for (const relative of relatives) {
    const name = `${relative.schema}.${relative.name}`;
    if (relative.kind === "f")
      throw new SourceMismatch(
        `the partition ${name} of ${title} is a foreign table, whose changes are not here: name the other partitions as tables of sources of their own, and read this one in the database that has it`,
      );
    if (mode !== "cdc" || relative.kind !== "r") continue;
    if (!relative.logged)
      throw new SourceMismatch(
        `the partition ${name} of ${title} is unlogged, and its changes are not in the log: alter table ${qualified(relative)} set logged, or use mode: timestamp`,
      );
    checkIdentity(name, relative, layout);
  }
}

/** Tables that may have had rows when they came, since they or what they are in were attached. */
function strangers(came: readonly Relative[]): Relative[] {
  const byOid = new Map(came.map((relative) => [relative.oid, relative]));
  const strange = (relative: Relative | undefined): boolean =>
    relative !== undefined && (!relative.born || strange(byOid.get(relative.parent)));
  return came.filter(strange);
}
