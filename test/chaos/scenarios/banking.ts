/**
 * Payments that are decided by SQL with a table beside them that changes all the time; a second transform keeps the
 * decisions in PostgreSQL and in Redis.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { WorkloadConfig } from "@caudal/crds";
import { poison } from "../../engine/aggregator/poison.ts";
import { createTopic, type LoggedRecord, type Topic } from "../../engine/aggregator/topic.ts";
import type { Database, Postgres } from "../../engine/postgres.ts";
import { field } from "../../engine/source/scene.ts";
import { startWriters } from "../../engine/source/writers.ts";
import { untilWritten } from "../../engine/transform/places.ts";
import { fields } from "../../engine/transform/scene.ts";
import { Fleet } from "../fleet.ts";
import { Load } from "../load.ts";
import type { Parts, Scenario, Verdict } from "../scenario.ts";
import { bootstrapOf, secretThrough } from "../servers.ts";
import { Dice } from "../src/dice.ts";
import { judgeLetters } from "../src/laws.ts";
import type { BankingRound } from "../src/schedule.ts";
import { addPartitions } from "./aggregates.ts";
import { isPoison, lettersOf, poisonOf } from "./letters.ts";
import { compareRows, lastBy, redisKeys, type Row, valuesOf } from "./rows.ts";

/** Accounts of the load's users; some users have none. */
const ACCOUNTS = 30;
/** Each version of an account has a number, and is noted when it is committed. */
const DDL = `create table accounts (id text primary key, version int not null, credit int not null);
  create table account_versions (id text, version int primary key, credit int);
  create sequence versions;
  create function note() returns trigger language plpgsql as $$ begin
    insert into account_versions values (new.id, new.version, new.credit); return null; end $$;
  create trigger note after insert or update on accounts for each row execute function note();
  insert into accounts select 'u' || n, nextval('versions'), 1000000000 from generate_series(0, ${ACCOUNTS - 1}) n`;

/** What cannot become an event: transforms have no groups, and take any time. */
const bad = poison.filter(({ reason }) => reason !== "GroupKeyTooLong" && reason !== "TooFarAhead");

interface Scene {
  readonly payments: Topic;
  readonly decided: Topic;
  readonly decideLetters: Topic;
  readonly storeLetters: Topic;
  readonly database: Database;
}

export async function openBanking(round: BankingRound, parts: Parts): Promise<Scenario> {
  const { servers, turns, opened, onCrash } = parts;
  const { broker, server } = servers;
  const name = `chaos${round.seed}`;
  const database = await server.database(name);
  await database.query(DDL);
  const make = async (topic: string, partitions: number): Promise<Topic> =>
    opened(await createTopic(broker, topic, partitions, { "max.message.bytes": "2000000" }), (it) => it.close());
  const payments = await make(name, round.partitions);
  const scene: Scene = {
    ...{ payments, database },
    decided: await make(`${name}-decided`, 3),
    decideLetters: await make(`${name}-decide-dlq`, 1),
    storeLetters: await make(`${name}-store-dlq`, 1),
  };
  const secret = secretThrough(database, servers, opened);
  const { redis } = servers;
  const redisSecret = redis?.server.secretFor(redis.proxy.port) ?? "";
  const kafka = { bootstrapServers: [bootstrapOf(servers)] };
  const stages = { decide: decideConfig(scene, secret), store: storeConfig(scene, redisSecret) };
  const fleetOf = (config: WorkloadConfig): Fleet => {
    const whole = { ...config, kafka, database: { secret } };
    return opened(new Fleet({ config: whole, clocks: round.clocks, onCrash }), (it) => it.stop());
  };
  const fleets = { decide: fleetOf(stages.decide), store: fleetOf(stages.store) };
  await Promise.all(Object.values(fleets).map(async (fleet) => await fleet.scale(round.workers)));
  const load = new Load(round, payments, { refusals: false, poison: bad });
  let partitions = round.partitions;
  let ends: { readonly payments: ReadonlyMap<number, number>; readonly decided: ReadonlyMap<number, number> };
  return {
    fleets: Object.values(fleets),
    faults: {
      "partitions-added": async ({ more }) => await addPartitions(turns, payments, (partitions += more)),
    },
    write: async (faults) => {
      const accounts = changeAccounts({ server, database }, round);
      await load.run(faults).finally(accounts.end);
    },
    get written() {
      return load.sent;
    },
    settle: async (seconds) => {
      const paid = await payments.seal();
      await untilWritten(stages.decide, { topic: payments, database }, paid, seconds);
      await fleets.decide.scale(0);
      ends = { payments: paid, decided: await scene.decided.seal() };
      const kept = { topic: scene.decided, database, redis: redis?.server };
      await untilWritten(stages.store, kept, ends.decided, seconds);
      await fleets.store.scale(0);
    },
    judge: async () => {
      const log = await payments.readTo(ends.payments);
      const decided = await scene.decided.readTo(ends.decided);
      const hot = redis === undefined ? new Map() : await redisKeys(redis.server, hotPrefix(name));
      const latest = redis === undefined ? new Map() : await redisKeys(redis.server, latestPrefix(name));
      const { violations, counts } = await judge(scene, log, decided, { hot, latest });
      return { violations, counts: { ...counts, ...load.counts } };
    },
  };
}

type Query = Pick<WorkloadConfig, "version" | "pipeline" | "stage" | "kafka" | "transform">;

function decideConfig({ payments, decided, decideLetters }: Scene, secret: string): Query {
  return {
    version: 1,
    pipeline: { namespace: "bank", name: payments.name, uid: "first", generation: 1 },
    stage: { name: "decide", role: "transform" },
    kafka: { bootstrapServers: [] },
    transform: {
      topic: { name: payments.name, timestamp: "event_ts", fields },
      where: "event_type <> 'search'",
      lookups: [
        {
          ...{ name: "account", table: "public.accounts", match: { id: "user_id" } },
          columns: [
            { name: "version", type: "integer" },
            { name: "credit", type: "integer" },
          ],
          ...{ refreshMs: 300, maxRows: 1_000, secret },
        },
      ],
      select: [
        ...fields.map(({ name }) => name),
        "account.version as version",
        "account.credit as credit",
        "coalesce(points <= account.credit, false) as approved",
      ],
      deadLetterTopic: decideLetters.name,
      to: [{ name: "decided", topic: { name: decided.name, key: "user_id", fields: [] } }],
      replicas: 3,
    },
  };
}

function storeConfig({ payments, decided, storeLetters }: Scene, secret: string): Query {
  const of = payments.name;
  return {
    version: 1,
    pipeline: { namespace: "bank", name: of, uid: "first", generation: 1 },
    stage: { name: "store", role: "transform" },
    kafka: { bootstrapServers: [] },
    transform: {
      topic: {
        ...{ name: decided.name, timestamp: "event_ts" },
        fields: [
          ...fields,
          field("version", "integer", true),
          field("credit", "integer", true),
          field("approved", "boolean"),
        ],
      },
      where: "user_id is not null",
      select: [...KEPT],
      lookups: [],
      deadLetterTopic: storeLetters.name,
      to: [
        { name: "history", table: { name: "history" } },
        { name: "latest", table: { name: "latest", key: ["user_id"] } },
        { name: "hot", redis: { key: `${hotPrefix(of)}{event_id}`, as: "hash", ttlMs: 0, secret } },
        { name: "last", redis: { key: `${latestPrefix(of)}{user_id}`, as: "json", ttlMs: 0, secret } },
      ],
      replicas: 3,
    },
  };
}

const KEPT = ["event_id", "user_id", "points", "version", "credit", "approved"] as const;
const hotPrefix = (name: string): string => `${name}:payment:`;
const latestPrefix = (name: string): string => `${name}:user:`;

/** People change limits all day, and take some changes back. */
function changeAccounts(at: { readonly server: Postgres; readonly database: Database }, { seed }: BankingRound) {
  const dice = new Dice(seed, "accounts");
  return startWriters(
    at,
    async (client) => {
      await client.query("update accounts set version = nextval('versions'), credit = $2 where id = $1", [
        `u${dice.whole(0, ACCOUNTS - 1)}`,
        dice.whole(0, 2_000_000_000),
      ]);
      await sleep(dice.whole(20, 200));
    },
    () => dice.chance(0.3),
  );
}

type Keys = ReadonlyMap<string, string | Row>;

async function judge(
  scene: Scene,
  log: readonly LoggedRecord[],
  decidedLog: readonly LoggedRecord[],
  { hot, latest }: { readonly hot: Keys; readonly latest: Keys },
): Promise<Verdict> {
  const { database, decideLetters, storeLetters } = scene;
  const payments = valuesOf<Row>(log.filter((record) => !isPoison(record))).map(wholePayment);
  const expected = payments.filter(({ event_type: type }) => type !== null && type !== "search");
  const decisions = valuesOf<Decision>(decidedLog);
  const versions = await database.query<{ id: string; version: number; credit: number }>(
    "select * from account_versions",
  );
  const kept = decisions.filter(({ user_id: user }) => user !== null).map(keptOf);
  const last = lastBy(kept, "user_id");
  const history = await database.query<Row>("select * from history");
  const latestRows = await database.query<Row>("select * from latest");
  const latestKeys = [...latest.values()].map((text) => JSON.parse(String(text)) as Row);
  const letters = await lettersOf(decideLetters);
  return {
    violations: [
      ...compareRows("decided", decisions.map(paymentOf), expected, "event_id", "in any order"),
      ...wrongDecisions(decisions, versions),
      ...compareRows("history", history, kept, "event_id", "in any order"),
      ...compareRows("latest", latestRows, last, "user_id", "in order"),
      ...compareRows("Redis, latest", latestKeys, last, "user_id", "in order"),
      ...compareRows(
        "Redis, payments",
        [...hot.values()].map(Object),
        lastBy(kept, "event_id").map(texts),
        "event_id",
        "in order",
      ),
      ...compareRows("Redis beside PostgreSQL", latestKeys, latestRows, "user_id", "in order"),
      ...judgeLetters(poisonOf(log), letters).violations,
      ...judgeLetters(poisonOf(decidedLog), await lettersOf(storeLetters)).violations,
    ],
    counts: {
      records: log.length,
      decisions: decisions.length,
      versions: versions.length,
      rows: history.length + latestRows.length,
      keys: hot.size + latest.size,
      letters: letters.length,
    },
  };
}

interface Decision extends Row {
  readonly event_id: string;
  readonly user_id: string | null;
  readonly points: number | null;
  readonly version: number | null;
  readonly credit: number | null;
  readonly approved: boolean;
}

/** Half approved is what no version of the account that was ever committed would have given. */
function wrongDecisions(
  decisions: readonly Decision[],
  versions: readonly { readonly id: string; readonly version: number; readonly credit: number }[],
): string[] {
  const byNumber = new Map(versions.map((one) => [one.version, one]));
  const accounts = new Set(versions.map(({ id }) => id));
  return decisions.flatMap(({ event_id: id, user_id: user, points, version, credit, approved }) => {
    const account = version === null ? undefined : byNumber.get(version);
    const isRight =
      user !== null && accounts.has(user)
        ? account?.id === user &&
          account.credit === credit &&
          approved === (points !== null && points <= account.credit)
        : version === null && credit === null && !approved;
    if (isRight) return [];
    const noted = account === undefined ? "none" : `${account.credit} of ${account.id}`;
    return [
      `payment ${id} of ${user}: ${points} was ${approved ? "approved" : "refused"} by version ${version} with ${credit}; committed was ${noted}`,
    ];
  });
}

/** A field that is missing is NULL. */
function wholePayment(payment: Row): Row {
  return Object.fromEntries(fields.map(({ name }) => [name, payment[name] ?? null]));
}

function paymentOf({ version: _v, credit: _c, approved: _a, ...payment }: Decision): Row {
  return payment;
}

function keptOf(decision: Decision): Row {
  return Object.fromEntries(KEPT.map((name) => [name, decision[name]]));
}

/** As a hash holds it: texts, and nothing where there is NULL. */
function texts(row: Row): Row {
  return Object.fromEntries(
    Object.entries(row).flatMap(([name, value]) => (value === null ? [] : [[name, String(value)]])),
  );
}
