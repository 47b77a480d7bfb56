/** One round: a broker, a PostgreSQL and workers of its own, the load and the faults of one seed, and the verdict. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { poll } from "../cluster/host/poll.ts";
import { type CommitCutter, startCommitCutter } from "../engine/aggregator/commit-cutter.ts";
import { stageConfig, untilDone } from "../engine/aggregator/stage.ts";
import { createTopic } from "../engine/aggregator/topic.ts";
import { startBroker } from "../engine/broker.ts";
import { type Database, startPostgres } from "../engine/postgres.ts";
import { startTcpProxy, type TcpProxy } from "../engine/tcp-proxy.ts";
import { Fleet } from "./fleet.ts";
import { Injector } from "./inject.ts";
import { judge, type Verdict } from "./judge.ts";
import { Load, REFUSED_USER } from "./load.ts";
import { describeFault, type FaultKind, type Round } from "./src/schedule.ts";

export interface Outcome extends Verdict {
  /** Faults that happened, by kind. */
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  /** Transactions of the load, by how they ended. */
  readonly transactions: Load["counts"];
}

export interface RoundOptions {
  readonly say: (line: string) => void;
}

const DISK_MIB = 512;
/** After the last fault, everything must be in the tables within it: a call into a black hole gives up after 70 s. */
const SETTLE_SECONDS = 180;

export async function runRound(round: Round, { say }: RoundOptions): Promise<Outcome> {
  const ends: (() => Promise<unknown>)[] = [];
  const opened = <T>(thing: T, close: (thing: T) => Promise<unknown>): T => {
    ends.unshift(async () => await close(thing));
    return thing;
  };
  try {
    const server = opened(await startPostgres({ diskMiB: DISK_MIB }), (it) => it.stop());
    let kafka: TcpProxy | undefined;
    const behind = async (port: number): Promise<number> =>
      (kafka = opened(await startTcpProxy(port), (it) => it.close())).port;
    const broker = opened(await startBroker({ properties, behind }), (it) => it.stop());
    if (kafka === undefined) throw new TypeError("the broker asks for its proxy");
    const cuts = { before: 0, after: 0 };
    const postgres = opened(await startCommitCutter(server.port, () => nextCut(cuts)), (it) => it.close());
    const name = `chaos${round.seed}`;
    const database = await server.database(name);
    const topic = opened(await createTopic(broker, name, round.partitions), (it) => it.close());
    const letterConfig = { "max.message.bytes": "2000000" };
    const deadLetters = opened(await createTopic(broker, `${name}-dlq`, 2, letterConfig), (it) => it.close());
    const allTables = stageConfig({
      broker: { ...broker, bootstrap: `127.0.0.1:${kafka.port}` },
      secret: opened(secretThrough(database, postgres), async (it) => await Promise.resolve(rmSync(it, recursive))),
      topic: name,
      aggregator: {
        lateEvents: round.lateEvents,
        watermark: { maxDelayMs: 60_000, idleTimeoutMs: 5_000, maxAheadMs: 300_000 },
      },
    });
    const crashes: string[] = [];
    const fleet = opened(
      new Fleet({
        config: adds(round) ? withoutLastTable(allTables) : allTables,
        clocks: round.clocks,
        onCrash: (what, log) => {
          say(`${what}:\n${log.slice(-4_000)}`);
          crashes.push(what);
        },
      }),
      (it) => it.stop(),
    );

    await fleet.scale(round.workers);
    if (round.refusals) await refuseOneUser(database);
    const load = new Load(round, topic);
    const injector = new Injector(round, { fleet, broker, server, topic, kafka, postgres, cuts, allTables });
    const injecting = injectAll(round, injector, say);
    const [faults] = await Promise.all([injecting, load.run(injecting)]);
    fleet.heal();
    const sealed = await topic.seal();
    say(`${load.sent} records sent; no more faults, waiting for the tables`);
    try {
      await untilDone(database, name, sealed, SETTLE_SECONDS);
    } catch (error) {
      throw new Stuck(`${String(error)}\n${await fleet.describe()}`, { cause: error });
    }
    // All workers end first: what one of them still had in hand would show now.
    await fleet.scale(0);
    const verdict = await judge(round, { topic, deadLetters, database }, sealed);
    return { ...verdict, violations: [...crashes, ...verdict.violations], faults, transactions: load.counts };
  } finally {
    for (const end of ends) await end();
  }
}

/** The log was not in the tables though nothing stood in the way any more. */
export class Stuck extends Error {
  readonly code = "STUCK";
}

const recursive = { recursive: true, force: true } as const;
const properties = { "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000" };

async function injectAll(
  round: Round,
  injector: Injector,
  say: (line: string) => void,
): Promise<Partial<Record<FaultKind, number>>> {
  const counts: Partial<Record<FaultKind, number>> = {};
  const began = performance.now();
  const seconds = (): string => `${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s `;
  const running = round.steps.map(async ({ atMs, fault }) => {
    await sleep(atMs);
    say(`${seconds()} ${describeFault(fault)}`);
    if (await injector.inject(fault)) counts[fault.kind] = (counts[fault.kind] ?? 0) + 1;
    else say(`${seconds()} ${fault.kind} met nothing`);
  });
  await Promise.all(running);
  return counts;
}

function nextCut(cuts: { before: number; after: number }): "pass" | "before" | "after" {
  for (const where of ["before", "after"] as const)
    if (cuts[where] > 0) {
      cuts[where]--;
      return where;
    }
  return "pass";
}

function adds({ steps }: Round): boolean {
  return steps.some(({ fault }) => fault.kind === "table-added");
}

function withoutLastTable(config: ReturnType<typeof stageConfig>): ReturnType<typeof stageConfig> {
  const { aggregator } = config;
  if (aggregator === undefined) return config;
  return { ...config, aggregator: { ...aggregator, tables: aggregator.tables.slice(0, -1) } };
}

/** The database's secret with the port of what is before it. */
function secretThrough(database: Database, { port }: CommitCutter): string {
  const secret = mkdtempSync(join(tmpdir(), "caudal-secret-"));
  cpSync(database.secret, secret, { recursive: true });
  writeFileSync(join(secret, "port"), String(port));
  return secret;
}

/** A constraint that a person has added to a table: PostgreSQL refuses rows which nothing else finds fault with. */
async function refuseOneUser(database: Database): Promise<void> {
  const made = async (): Promise<true | undefined> => {
    const [row] = await database.query<{ made: boolean }>(
      "select to_regclass('public.user_counts') is not null as made",
    );
    return row?.made === true ? true : undefined;
  };
  await poll(made, { seconds: 60, onTimeout: () => "the workers made no tables" });
  await database.query(
    `alter table public.user_counts add constraint somebodys check (user_id is distinct from '${REFUSED_USER}')`,
  );
}
