/** Statements of `caudal sql` on a real broker and a real PostgreSQL; what needs an API server is in test/e2e. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type StreamPipeline, withDefaults } from "@caudal/crds";
import type { Live } from "../../../cli/src/live/live.ts";
import { Printer } from "../../../cli/src/output/printer.ts";
import type { Format } from "../../../cli/src/output/format.ts";
import { Session } from "../../../cli/src/sql/session.ts";
import { readSecret } from "../../../workloads/src/postgres/secret.ts";
import { createTopic, type Topic } from "../../engine/aggregator/topic.ts";
import { type Broker, startBroker } from "../../engine/broker.ts";
import { type Database, type Postgres, startPostgres } from "../../engine/postgres.ts";

interface Applied {
  readonly manager: string;
  readonly spec: Readonly<Record<string, unknown>>;
}

interface Desk {
  readonly session: Session;
  readonly applied: Applied[];
  /** @returns what the statement printed, and said */
  ask(sql: string, format?: Format): Promise<{ readonly printed: string; readonly said: string }>;
  /** Until something printed matches; then Ctrl-C. */
  follow(sql: string, until: RegExp, meanwhile?: () => Promise<void>): Promise<string>;
}

const NAME = "shop-events";
const event = (id: number, user: string, at: string) => JSON.stringify({ id, user, ts: `2026-04-01T${at}Z`, extra: 1 });

function newDesk(broker: Broker, database: Database, topic: string): Desk {
  const applied: Applied[] = [];
  const pipeline = withDefaults({
    apiVersion: "caudal.dev/v1alpha1",
    kind: "StreamPipeline",
    metadata: { name: "shop", namespace: "default", uid: "u", generation: 1, resourceVersion: "1" },
    spec: {
      kafka: { clusterRef: { name: "platform", listener: "plain" } },
      database: { secretRef: { name: "pg" } },
      topics: [
        {
          ...{ name: topic, partitions: 2, key: "user", timestamp: "ts" },
          fields: [
            { name: "id", type: "integer" },
            { name: "user", type: "string" },
            { name: "ts", type: "timestamp" },
          ],
        },
      ],
      aggregators: [
        {
          ...{ name: "metrics", topic: topic, deadLetterTopic: `${topic}-dlq` },
          tables: [
            { name: "counts", window: { tumbling: { size: "1m" } }, groupBy: ["user"], aggregates: ["count(*) as n"] },
          ],
        },
      ],
    },
    status: { stages: [] },
  }) as StreamPipeline;
  const live: Live = {
    pipeline: async () => await Promise.resolve(pipeline),
    kafka: async () => await Promise.resolve({ connection: { bootstrapServers: [broker.bootstrap] } }),
    database: async () => await readSecret(database.secret),
    apply: async (manager, spec) => {
      applied.push({ manager, spec });
      await Promise.resolve();
    },
    managers: async () => await Promise.resolve(applied.map(({ manager }) => manager)),
    close: async () => await Promise.resolve(),
  };
  let [printed, said] = ["", ""];
  const printer = new Printer(
    "csv",
    (text) => (printed += text),
    (text) => (said += text),
  );
  const session = new Session({ live, printer, write: false });
  return {
    session,
    applied,
    ask: async (sql, format = "csv") => {
      [printed, said] = ["", ""];
      printer.format = format;
      await session.execute(sql, new AbortController().signal);
      return { printed, said };
    },
    follow: async (sql, until, meanwhile) => {
      [printed, said] = ["", ""];
      printer.format = "csv";
      const interrupt = new AbortController();
      const done = session.execute(sql, interrupt.signal);
      await meanwhile?.();
      await expect.poll(() => printed, { timeout: 120_000 }).toMatch(until);
      interrupt.abort();
      await done;
      return printed;
    },
  };
}

describe("caudal sql", () => {
  let [broker, server]: [Broker?, Postgres?] = [];
  let desk: Desk;
  let topic: Topic;
  let letters: Topic;
  beforeAll(async () => {
    [broker, server] = await Promise.all([startBroker(), startPostgres()]);
    const database = await server.database("clisql");
    topic = await createTopic(broker, NAME, 2);
    letters = await createTopic(broker, `${NAME}-dlq`, 1);
    desk = newDesk(broker, database, NAME);
    await topic.send([event(1, "ana", "10:00:00"), event(2, "bia", "10:00:01"), "broken"], 0);
    await topic.send([event(3, "ana", "10:01:00.5")], 1);
    await topic.transaction([event(99, "ghost", "10:00:00")], "abort");
    await database.query('create table counts (window_start timestamptz, "user" text, n bigint, _hidden bigint)');
    await database.query(
      "insert into counts values ('2026-04-01 10:00:00Z', 'ana', 1, 0), ('2026-04-01 10:01:00Z', 'ana', 12345678901, 0)",
    );
  });

  afterAll(async () => {
    await desk.session.close();
    await Promise.all([topic.close(), letters.close()]);
    await Promise.all([broker?.stop(), server?.stop()]);
  });

  it("SHOW TOPICS counts partitions and records, and names the topic of the dead letters", async () => {
    const { printed } = await desk.ask("show topics");
    expect(printed).toMatch(new RegExp(`^topic,partitions,records,key,holds\n${NAME},2,\\d+,user,3 fields\n`));
    expect(printed).toContain(`${NAME}-dlq,1,0,,dead letters of metrics`);
  });

  it("SHOW TABLES and DESCRIBE tell what there is", async () => {
    expect((await desk.ask("SHOW TABLES")).printed).toContain(
      `counts,metrics,${NAME},tumbling 1m,"window_start, user"`,
    );
    expect((await desk.ask(`describe ${NAME}`)).printed).toContain("user,string,no,key\nts,timestamp,no,event time");
    expect((await desk.ask("describe counts")).printed).toBe(
      "column,type\nwindow_start,timestamp with time zone\nuser,text\nn,bigint\n",
    );
    await expect(desk.ask("describe nothing")).rejects.toThrow("the pipeline has no nothing: it has");
  });

  it("PRINT gives records as they are, also what is no event, and nothing of aborted transactions", async () => {
    const printed = await desk.follow(`print '${NAME}' from beginning`, /"id"":3/);
    expect(printed).toContain("broken");
    expect(printed).not.toContain("ghost");
    expect((await desk.ask(`print ${NAME} from beginning limit 2`)).printed.trim().split("\n")).toHaveLength(3);
  });

  it("SELECT over a topic reads typed fields and says how many records are no events", async () => {
    const { printed, said } = await desk.ask(
      `select id, upper("user") as name, strftime(ts, '%Y-%m-%d %H:%M:%S.%g') as day from ${NAME} where id > 1 order by id`,
    );
    expect(printed).toBe("id,name,day\n2,BIA,2026-04-01 10:00:01.000\n3,ANA,2026-04-01 10:01:00.500\n");
    expect(said).toBe("1 record is no event and left out: PRINT shows them\n");
  });

  it("SELECT … LIMIT n, aggregates, and where a record is from", async () => {
    expect((await desk.ask(`select * from ${NAME} limit 1`, "json")).printed).toMatch(
      /^\{"id":1,"user":"ana","ts":"2026-04-01T10:00:00Z"\}\n$|^\{"id":3,"user":"ana","ts":"2026-04-01T10:01:00.5Z"\}\n$/,
    );
    expect((await desk.ask(`select "user", count(*) as n from ${NAME} group by 1 order by 1`)).printed).toBe(
      "user,n\nana,2\nbia,1\n",
    );
    expect((await desk.ask(`select _partition, _offset, id from "${NAME}" where _partition = 1`)).printed).toBe(
      "_partition,_offset,id\n1,0,3\n",
    );
  });

  it("a topic without fields is asked by its records", async () => {
    await letters.send([{ value: "what nobody could read", headers: { "caudal-reason": "MalformedJson" } }]);
    const { printed } = await desk.ask(`select _value, _partition from ${NAME}-dlq`);
    expect(printed).toBe("_value,_partition\nwhat nobody could read,0\n");
    expect((await desk.ask(`print ${NAME}-dlq from beginning limit 1`, "json")).printed).toMatch(
      /"headers":\{"caudal-reason":"MalformedJson"\},"value":"what nobody could read"\}\n$/,
    );
  });

  it("EMIT CHANGES gives what comes, until it is interrupted or has enough", async () => {
    const sql = `select id, "user" from ${NAME} where "user" <> 'bia' emit changes`;
    const printed = await desk.follow(sql, /\n41,eva/, async () => {
      // Whoever begins to listen begins at the end: sent again until it is heard.
      for (let turn = 0; turn < 8; turn++) {
        await topic.send([event(40, "bia", "11:00:00"), event(41, "eva", "11:00:00")]);
        await new Promise((resolve) => setTimeout(resolve, 250));
      }
    });
    expect(printed).not.toContain("bia");
    expect(printed).not.toContain("1,ana");
    await desk.ask("set 'auto.offset.reset' = 'earliest'");
    const some = (await desk.ask(`select id from ${NAME} emit changes limit 3`)).printed;
    expect(some.trim().split("\n")).toHaveLength(4);
    await desk.ask("set 'auto.offset.reset' = 'latest'");
  });

  it("what would need all records is refused with EMIT CHANGES, in words", async () => {
    await expect(desk.ask(`select count(*) from ${NAME} emit changes`)).rejects.toThrow(
      "count(*) has no end to wait for with EMIT CHANGES",
    );
    await expect(desk.ask("select * from counts emit changes")).rejects.toThrow("EMIT CHANGES follows a topic");
  });

  it("plain SQL goes to PostgreSQL, with all digits, and read-only", async () => {
    expect((await desk.ask("select * from counts order by window_start", "json")).printed).toBe(
      `{"window_start":"2026-04-01T10:00:00Z","user":"ana","n":1,"_hidden":0}\n{"window_start":"2026-04-01T10:01:00Z","user":"ana","n":12345678901,"_hidden":0}\n`,
    );
    await expect(desk.ask("delete from counts")).rejects.toThrow(/read-only transaction; begin with --write/);
    await expect(desk.ask("select nothing from counts")).rejects.toThrow(
      'column "nothing" does not exist (at "nothing from counts")',
    );
  });

  it("a long statement of PostgreSQL ends when it is interrupted, and the session goes on", async () => {
    const interrupt = new AbortController();
    const long = desk.session.execute("select pg_sleep(60)", interrupt.signal);
    setTimeout(() => interrupt.abort(), 300);
    await expect(long).rejects.toThrow("canceling statement due to user request");
    expect((await desk.ask("select 1 as one")).printed).toBe("one\n1\n");
  });

  it("wrong names are told with their candidates", async () => {
    await expect(desk.ask(`select usr from ${NAME}`)).rejects.toThrow(/usr.*not found[\s\S]*Candidate bindings.*user/);
    await expect(desk.ask("print nowhere")).rejects.toThrow("there is no topic nowhere");
  });

  it("CREATE STREAM writes a transform and its topic, and DROP STREAM takes them back", async () => {
    const { printed, said } = await desk.ask(
      `create stream lean_users as select "user", id + 1 as next_id, ts, strftime(ts, '%Y-%m-%d') as day from ${NAME} where id > 1 emit changes`,
    );
    expect(said).toContain("written into StreamPipeline/shop by the field manager caudal-sql-lean-users");
    const spec = {
      topics: [
        {
          ...{ name: "lean_users", partitions: 2, key: "user", timestamp: "ts" },
          fields: [
            { name: "user", type: "string", nullable: false },
            { name: "next_id", type: "integer", nullable: true },
            { name: "ts", type: "timestamp", nullable: false },
            { name: "day", type: "string", nullable: true },
          ],
        },
      ],
      transforms: [
        {
          ...{ name: "lean-users", topic: NAME, where: "id > 1" },
          select: ['"user"', "id + 1 as next_id", "ts", "strftime(ts, '%Y-%m-%d') as day"],
          to: [{ name: "topic", topic: "lean_users" }],
        },
      ],
    };
    expect(desk.applied).toEqual([{ manager: "caudal-sql-lean-users", spec }]);
    expect(printed).toContain("topic: lean_users");
    await desk.ask("drop stream lean_users");
    expect(desk.applied.at(-1)).toEqual({ manager: "caudal-sql-lean-users", spec: {} });
    await expect(desk.ask("drop stream other")).rejects.toThrow("there is no stream other");
  });

  it("CREATE STREAM refuses what a transform cannot be", async () => {
    const create = (select: string) => desk.ask(`create stream x as ${select}`);
    await expect(create(`select count(*) as n from ${NAME}`)).rejects.toThrow("an aggregator's table does that");
    await expect(create("select * from counts")).rejects.toThrow("a stream reads one topic");
    await expect(create(`select usr from ${NAME}`)).rejects.toThrow("Candidate bindings");
    await expect(create(`select [id] as list from ${NAME}`)).rejects.toThrow("cast it, such as (…)::varchar as list");
  });
});
