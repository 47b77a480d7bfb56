/** An aggregator with every kind of window, whose tables have to be what one pass over the log gives. */
import { poll } from "../../cluster/host/poll.ts";
import { poison } from "../../engine/aggregator/poison.ts";
import { stageConfig, untilDone } from "../../engine/aggregator/stage.ts";
import { createTopic, type Topic } from "../../engine/aggregator/topic.ts";
import type { Database } from "../../engine/postgres.ts";
import { Fleet } from "../fleet.ts";
import { Load, REFUSED_USER } from "../load.ts";
import type { Parts, Scenario } from "../scenario.ts";
import { bootstrapOf, secretThrough } from "../servers.ts";
import type { AggregatesRound } from "../src/schedule.ts";
import { judge } from "./aggregates-judge.ts";

export async function openAggregates(
  round: AggregatesRound,
  { servers, turns, opened, onCrash }: Parts,
): Promise<Scenario> {
  const { broker, server } = servers;
  const name = `chaos${round.seed}`;
  const database = await server.database(name);
  const topic = opened(await createTopic(broker, name, round.partitions), (it) => it.close());
  const letterConfig = { "max.message.bytes": "2000000" };
  const deadLetters = opened(await createTopic(broker, `${name}-dlq`, 2, letterConfig), (it) => it.close());
  const allTables = stageConfig({
    broker: { ...broker, bootstrap: bootstrapOf(servers) },
    secret: secretThrough(database, servers, opened),
    topic: name,
    aggregator: {
      lateEvents: round.lateEvents,
      watermark: { maxDelayMs: 60_000, idleTimeoutMs: 5_000, maxAheadMs: 300_000 },
    },
  });
  const config = adds(round) ? withoutLastTable(allTables) : allTables;
  const fleet = opened(new Fleet({ config, clocks: round.clocks, onCrash }), (it) => it.stop());
  await fleet.scale(round.workers);
  if (round.refusals) await refuseOneUser(database);
  const load = new Load(round, topic, { refusals: round.refusals, poison });
  let partitions = round.partitions;
  let ends: ReadonlyMap<number, number> = new Map();
  return {
    fleets: [fleet],
    faults: {
      "table-added": async () => {
        await fleet.roll(allTables);
        return true;
      },
      "partitions-added": async ({ more }) => await addPartitions(turns, topic, (partitions += more)),
    },
    write: async (faults) => await load.run(faults),
    get written() {
      return load.sent;
    },
    settle: async (seconds) => {
      ends = await topic.seal();
      await untilDone(database, name, ends, seconds);
      await fleet.scale(0);
    },
    judge: async () => {
      const { violations, counts } = await judge(round, { topic, deadLetters, database }, ends);
      return { violations, counts: { ...counts, ...load.counts } };
    },
  };
}

export async function addPartitions(turns: Parts["turns"], topic: Topic, total: number): Promise<boolean> {
  return await turns.alone("broker", async () => {
    await topic.addPartitions(total);
    return true;
  });
}

function adds({ steps }: AggregatesRound): boolean {
  return steps.some(({ fault }) => fault.kind === "table-added");
}

function withoutLastTable(config: ReturnType<typeof stageConfig>): ReturnType<typeof stageConfig> {
  const { aggregator } = config;
  if (aggregator === undefined) return config;
  return { ...config, aggregator: { ...aggregator, tables: aggregator.tables.slice(0, -1) } };
}

/** A constraint that a person has added to a table: PostgreSQL refuses rows which nothing else finds fault with. */
async function refuseOneUser(database: Database): Promise<void> {
  const made = async (): Promise<true | undefined> => {
    const [row] = await database.query<{ made: boolean }>(
      "select to_regclass('public.user_counts') is not null as made",
    );
    return row?.made === true ? true : undefined;
  };
  await poll(made, { seconds: 120, onTimeout: () => "the workers made no tables" });
  await database.query(
    `alter table public.user_counts add constraint somebodys check (user_id is distinct from '${REFUSED_USER}')`,
  );
}
