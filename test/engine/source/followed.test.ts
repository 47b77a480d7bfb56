/** What of a table can be followed: each kind either is, or is refused or stopped with what to do, on a real PostgreSQL. */
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import type { SourceConfig } from "@caudal/crds";
import { Connection } from "../../../workloads/src/postgres/connection.ts";
import { createLog } from "../../../workloads/src/runtime/log.ts";
import { createMetrics } from "../../../workloads/src/runtime/metrics.ts";
import { readTable, VALUE_SETTINGS } from "../../../workloads/src/source/catalog.ts";
import { prepare } from "../../../workloads/src/source/cdc/replicate.ts";
import type { Place } from "../../../workloads/src/source/core/place.ts";
import { layoutOf } from "../../../workloads/src/source/core/table.ts";
import { FollowedSource, type FollowedSession } from "../../../workloads/src/source/followed.ts";
import { checkOrigin } from "../../../workloads/src/source/session.ts";
import { type Database, type Postgres, startPostgres } from "../postgres.ts";
import { field, sourceConfig } from "./scene.ts";

type Settings = Partial<SourceConfig["postgres"]>;

const cdc: Settings = { mode: "cdc", timestampColumn: undefined, operationField: "op" };
const timed: Settings = { timestampColumn: "d" };
const PLAIN = "create table items (id int primary key, name text, d timestamptz not null default now())";
const PARTS =
  "create table items (id int, name text, d timestamptz not null default now(), primary key (id)) partition by range (id);" +
  "create table low partition of items for values from (0) to (10); insert into items values (1, 'one')";
const publish = (rest: string) => `create publication caudal_case for table items${rest}`;

let server: Postgres;
let count = 0;
const opened: Connection[] = [];
beforeAll(async () => {
  server = await startPostgres({ settings: { wal_level: "logical" } });
});
afterEach(async () => {
  for (const connection of opened.splice(0)) await connection.close();
});
afterAll(async () => {
  await server?.stop();
});

const fieldsOf = (settings: Settings) => [
  field("id", "integer"),
  field("name", "string", true),
  field("d", "timestamp", true),
  ...(settings.mode === "cdc" ? [field("op", "string")] : []),
];

/** A session of a source, without Kafka, which has no say in what can be followed. */
async function sessionOn(
  database: Pick<Database, "secret">,
  settings: Settings,
  place?: Place,
): Promise<FollowedSession> {
  const all = { secret: database.secret, slot: "caudal_case", ...settings };
  const { source } = sourceConfig("case", "", all, { fields: fieldsOf(settings) });
  if (source === undefined) throw new Error("the configuration has no source");
  const connection = await Connection.open({
    secret: database.secret,
    applicationName: "case",
    settings: VALUE_SETTINGS,
  });
  opened.push(connection);
  const table = await readTable(connection, source.postgres.table);
  const origin = { system: "1", table: table.oid, pipeline: "first" };
  if (place !== undefined) checkOrigin(source, place.origin, origin);
  const labels = { namespace: "shop", pipeline: "case", stage: "items", role: "source" };
  const context = { log: createLog(labels, "silent"), metrics: createMetrics(labels) };
  return { connection, config: source, table, layout: layoutOf(source, table), place, of: "1", origin, context };
}

const followed = async (session: FollowedSession) =>
  session.config.postgres.mode === "cdc" ? await prepare(session) : await FollowedSource.open(session);

const outcome = async (work: () => Promise<unknown>): Promise<string> => {
  try {
    await work();
    return "followed";
  } catch (error) {
    return error instanceof Error && "reason" in error ? `${String(error.reason)}: ${error.message}` : String(error);
  }
};

it.each<[what: string, settings: Settings, ddl: string, says: RegExp | "followed"]>([
  ["a table", cdc, PLAIN, "followed"],
  ["a table", timed, PLAIN, "followed"],
  [
    "partitions of partitions",
    cdc,
    `${PARTS}; create table high partition of items for values from (10) to (99) partition by range (id); create table higher partition of high for values from (10) to (20)`,
    "followed",
  ],
  [
    "a partition by name, beside its table",
    cdc,
    `${PARTS}; alter table items rename to whole; alter table low rename to items`,
    "followed",
  ],
  ...[cdc, timed].flatMap((settings): [string, Settings, string, RegExp | "followed"][] => [
    [
      "tables that inherit",
      settings,
      `${PLAIN}; create table child () inherits (items)`,
      /^SourceMismatch: tables inherit from public.items.*onInheritance: Ignore/,
    ],
    [
      "tables that inherit, left out on purpose",
      { ...settings, onInheritance: "Ignore" },
      `${PLAIN}; create table child () inherits (items)`,
      "followed",
    ],
    [
      "a view",
      settings,
      `${PLAIN.replace("items", "base")}; create view items as select * from base`,
      /is a view.*name the table/,
    ],
    ["a materialized view", settings, "create materialized view items as select 1 as id", /is a materialized view/],
    [
      "a foreign table",
      settings,
      "create foreign data wrapper w; create server s foreign data wrapper w; create foreign table items (id int) server s",
      /is a foreign table: read it in the database/,
    ],
    [
      "a foreign partition",
      settings,
      `${PARTS.replace(", primary key (id)", "")}; alter table items alter id set not null; alter table items replica identity full; create foreign data wrapper w; create server s foreign data wrapper w; create foreign table f partition of items for values from (50) to (60) server s`,
      /no primary key|foreign table/,
    ],
    ["no primary key", settings, PLAIN.replace(" primary key", ""), /has no primary key: name the columns/],
    [
      "a key that may be NULL",
      { ...settings, keyColumns: ["id"] },
      PLAIN.replace("primary key", "unique"),
      /may be NULL.*set not null/,
    ],
    ["row security for the owner", settings, `${PLAIN}; alter table items enable row level security`, "followed"],
  ]),
  ["an unlogged table", timed, PLAIN.replace("table", "unlogged table"), "followed"],
  [
    "an unlogged table",
    cdc,
    PLAIN.replace("table", "unlogged table"),
    /unlogged table.*set logged, or use mode: timestamp/,
  ],
  [
    "an unlogged partition",
    cdc,
    `${PARTS}; create unlogged table u partition of items for values from (10) to (20)`,
    /partition public.u .* is unlogged/,
  ],
  [
    "a stored generated column",
    cdc,
    PLAIN.replace("name text", "name text generated always as ('n' || id::text) stored").replace("|| id::text", ""),
    /items.name is a generated column.*compute it in a transform/,
  ],
  [
    "a stored generated column",
    timed,
    PLAIN.replace("name text", "name text generated always as ('n') stored"),
    "followed",
  ],
  [
    "a generated column that is no field",
    cdc,
    `${PLAIN}; alter table items add twice int generated always as (id * 2) stored`,
    "followed",
  ],
  [
    "a table of the server",
    { ...cdc, table: "pg_catalog.pg_class" },
    "select 1",
    /no primary key|no column|server's own/,
  ],
  [
    "replica identity nothing",
    cdc,
    `${PLAIN}; alter table items replica identity nothing`,
    /do not say id.*replica identity full/,
  ],
  ["replica identity full", cdc, `${PLAIN}; alter table items replica identity full`, "followed"],
  [
    "a replica identity that lacks the key",
    cdc,
    `${PLAIN.replace("name text", "name text not null unique")}; alter table items replica identity using index items_name_key`,
    /do not say id/,
  ],
  [
    "a partition with another identity",
    cdc,
    `${PARTS}; alter table low replica identity nothing`,
    /changes of public.low do not say id/,
  ],
  [
    "a publication of some operations",
    cdc,
    `${PLAIN}; ${publish(" with (publish = 'insert, update')")}`,
    /leaves out delete, truncate: alter publication/,
  ],
  ["a publication of some columns", cdc, `${PLAIN}; ${publish(" (id, d)")}`, /leaves out name of public.items/],
  [
    "a publication of some rows",
    cdc,
    `${PLAIN}; ${publish(" where (id > 5)")}`,
    /sends only the rows of public.items where \(id > 5\)/,
  ],
  [
    "a publication without the table",
    cdc,
    `${PLAIN}; create publication caudal_case`,
    /does not have the table public.items/,
  ],
  [
    "a publication of another table too",
    cdc,
    `${PLAIN}; create table other (n int); ${publish(", other")}`,
    /carries other tables/,
  ],
  [
    "a publication of all tables",
    cdc,
    `${PLAIN}; create publication caudal_case for all tables`,
    /carries other tables/,
  ],
  ["a publication of its owner, as it should be", cdc, `${PLAIN}; ${publish("")}`, "followed"],
  [
    "partitions as an older release published them",
    cdc,
    `${PARTS}; ${publish(" with (publish_via_partition_root = true)")}`,
    "followed",
  ],
])("%s (%o) is followed, or refused with what to do", async (_what, settings, ddl, says) => {
  const database = await server.database(`case${++count}`);
  await database.query(ddl);
  const said = await outcome(async () => await followed(await sessionOn(database, settings)));
  if (says === "followed") expect(said).toBe(says);
  else expect(said).toMatch(says);
});

it("does not take what row security shows for the whole table", async () => {
  const database = await server.database(`case${++count}`);
  const limited = await server.user(database.name, "limited");
  await database.query(`${PLAIN}; grant select on items to limited; alter table items enable row level security;
    create policy visible on items using (id > 5)`);
  for (const settings of [cdc, timed])
    expect(await outcome(async () => await sessionOn({ secret: limited }, settings))).toMatch(
      /row security hides rows of public.items from the user limited.*bypassrls/,
    );
});

/** What is done to a table that is being followed, and again while nobody looks. */
it.each<[what: string, settings: Settings, ddl: string, change: string, says: RegExp | "followed"]>([
  [
    "a partition that is made",
    cdc,
    PARTS,
    "create table p partition of items for values from (10) to (20); insert into items values (11)",
    "followed",
  ],
  [
    "a partition that is made and filled in one go",
    cdc,
    PARTS,
    "begin; create table p partition of items for values from (10) to (20) partition by range (id); create table q partition of p for values from (10) to (15); insert into items values (11); commit",
    "followed",
  ],
  [
    "an empty table that is attached",
    cdc,
    PARTS,
    "create table p (like items including all); alter table items attach partition p for values from (10) to (20)",
    "followed",
  ],
  ...[cdc, timed].flatMap((settings): [string, Settings, string, string, RegExp][] => [
    [
      "a full table that is attached",
      settings,
      PARTS,
      "create table p (like items including all); insert into p values (11); alter table items attach partition p for values from (10) to (20)",
      /^SourceChanged: the table public.p was attached to public.items with rows.*raise postgres.resync \(now 0\)/,
    ],
    [
      "a table that is made, filled and attached in one go",
      settings,
      PARTS,
      "begin; create table p (id int not null, name text, d timestamptz not null); insert into p values (11, '', now()); alter table items attach partition p for values from (10) to (20); commit",
      /public.p was attached/,
    ],
    [
      "a tree with rows that is attached",
      settings,
      PARTS,
      "create table p (like items including all) partition by range (id); create table q partition of p for values from (10) to (15); insert into p values (11); alter table items attach partition p for values from (10) to (20)",
      /public.q was attached/,
    ],
    [
      "a partition that leaves and comes back",
      settings,
      PARTS,
      "alter table items detach partition low; update low set name = 'other'; alter table items attach partition low for values from (0) to (10)",
      /public.low was attached/,
    ],
    [
      "a table that begins to inherit",
      settings,
      PLAIN,
      "create table child () inherits (items)",
      /tables inherit from public.items/,
    ],
    ["a table that is made anew", settings, PLAIN, `drop table items; ${PLAIN}`, /^SourceReplaced|^SourceChanged/],
    ["a table that is renamed", settings, PLAIN, "alter table items rename to elsewhere", /^SourceTableMissing/],
    [
      "a schema that is dropped",
      settings,
      `create schema s; ${PLAIN.replace("items", "s.items")}`,
      "drop schema s cascade",
      /^SourceTableMissing|^SourceChanged/,
    ],
    [
      "a column that is made anew",
      settings,
      PLAIN,
      "alter table items drop name, add name text default 'new'",
      /^SourceChanged: columns of/,
    ],
    [
      "values that are computed anew",
      settings,
      PLAIN,
      "alter table items alter name type int using 7",
      /^SourceChanged: columns of|integer/,
    ],
  ]),
  [
    "a wider text",
    cdc,
    PLAIN.replace("text", "varchar(9)"),
    "alter table items alter name type text, add more int",
    "followed",
  ],
  [
    "a partition that is detached",
    cdc,
    PARTS,
    "alter table items detach partition low",
    /^TableTruncated: a partition has left public.items.*onTruncate: Ignore.*or raise postgres.resync/,
  ],
  ["a partition that is dropped", cdc, PARTS, "drop table low", /^TableTruncated: a partition has left/],
  ["a partition that leaves, as it may", { ...cdc, onTruncate: "Ignore" }, PARTS, "drop table low", "followed"],
  ["a partition that leaves", timed, PARTS, "drop table low", "followed"],
  [
    "a publication that is dropped",
    cdc,
    PLAIN,
    "drop publication caudal_case",
    /^SourceChanged: the publication caudal_case was dropped/,
  ],
  [
    "a publication that loses the table for a moment",
    cdc,
    PLAIN,
    "alter publication caudal_case drop table items; alter publication caudal_case add table items",
    /^SourceChanged: the publication caudal_case was changed/,
  ],
  [
    "a publication that gets a filter",
    cdc,
    PLAIN,
    "alter publication caudal_case set table items where (id > 5)",
    /was changed|sends only the rows/,
  ],
  [
    "a publication that sends less for a moment",
    cdc,
    PLAIN,
    "alter publication caudal_case set (publish = 'insert'); alter publication caudal_case set (publish = 'insert, update, delete, truncate')",
    /was changed/,
  ],
  [
    "a partition whose updates would fail",
    cdc,
    PARTS,
    "create table p partition of items for values from (10) to (20); alter table p replica identity nothing",
    /changes of public.p do not say id/,
  ],
  ["a table that is vacuumed and reindexed", cdc, PARTS, "vacuum full; reindex table items; analyze", "followed"],
])("%s (%o) is followed, or stops with what to do", async (what, settings, ddl, change, says) => {
  const database = await server.database(`case${++count}`);
  const given = what.includes("schema") ? { ...settings, table: "s.items" } : settings;
  await database.query(ddl);
  const at = await followed(await sessionOn(database, given));
  for (const statement of change.startsWith("begin") ? [change] : change.split("; ")) await database.query(statement);
  const running = await outcome(async () => await at.meet(0));
  const place = JSON.parse(JSON.stringify(at.place({ mode: "cdc", lsn: "0/1", part: null, snapshot: null }))) as Place;
  // A worker that was away: what was kept with the place before the change is all that it knows.
  const away = await outcome(async () => await followed(await sessionOn(database, given, place)));
  if (says === "followed") expect([running, away]).toEqual([says, says]);
  else for (const said of [running, away]) expect(said).toMatch(says);
});
