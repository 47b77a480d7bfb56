/** One broker and one PostgreSQL for a file of tests, and for each test a topic and a database of its own. */
import { afterAll, afterEach, beforeAll } from "vitest";
import { type Broker, sharedBroker, startBroker } from "../broker.ts";
import { type Database, type Postgres, type PostgresOptions, startPostgres } from "../postgres.ts";
import { actualTables, differences, expectedTables } from "./expected.ts";
import { killWorkers, stageConfig, type StageOptions } from "./stage.ts";
import { createTopic, type LoggedRecord, type Topic } from "./topic.ts";

export interface Scene {
  readonly broker: Broker;
  readonly server: Postgres;
  readonly database: Database;
  readonly topic: Topic;
  readonly deadLetters: Topic;
  /** A configuration of the stage that reads the topic into the database. */
  config(options?: Partial<StageOptions>): ReturnType<typeof stageConfig>;
  /** How the tables differ from one pass over the log up to the ends; at most ten lines. */
  wrong(ends: ReadonlyMap<number, number>, keep?: (record: LoggedRecord) => boolean): Promise<string[]>;
}

/**
 * @param name of the file's topics and databases: the tests' are numbered
 * @param own whether the file needs a broker that nobody else uses
 */
export function useScene(
  name: string,
  { own = false, ...postgres }: PostgresOptions & { readonly own?: boolean } = {},
): (partitions: number) => Promise<Scene> {
  let broker: Broker;
  let server: Postgres;
  let count = 0;
  const open: Topic[] = [];
  beforeAll(async () => {
    [broker, server] = await Promise.all([own ? startBroker() : sharedBroker(), startPostgres(postgres)]);
  });
  afterEach(async () => {
    await killWorkers();
    for (const topic of open.splice(0)) await topic.close();
  });
  afterAll(async () => {
    await Promise.all([broker.stop(), server.stop()]);
  });
  return async (partitions) => {
    const unique = `${name}${++count}`;
    const database = await server.database(unique);
    const topic = await createTopic(broker, unique, partitions);
    const deadLetters = await createTopic(broker, `${unique}-dlq`, 1, { "max.message.bytes": "2000000" });
    open.push(topic, deadLetters);
    return {
      broker,
      server,
      database,
      topic,
      deadLetters,
      config: (options = {}) => stageConfig({ broker, secret: database.secret, topic: unique, ...options }),
      wrong: async (ends, keep) => {
        const expected = await expectedTables(await topic.readTo(ends), keep);
        return differences(await actualTables(database), expected).slice(0, 10);
      },
    };
  };
}
