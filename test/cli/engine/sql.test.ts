/** Statements of `caudal sql` on a real broker and a real PostgreSQL; what needs an API server is in test/e2e. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type StreamPipeline, withDefaults } from "@caudal/crds";
import type { Live } from "../../../cli/src/live/live.ts";
import { Printer } from "../../../cli/src/output/printer.ts";
import type { Format } from "../../../cli/src/output/format.ts";
import { runScripts } from "../../../cli/src/sql/command.ts";
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
            { name: "later", window: { tumbling: { size: "1m" } }, groupBy: ["user"], aggregates: ["count(*) as n"] },
          ],
        },
      ],
    },
    status: { stages: [] },
  }) as StreamPipeline;
  const live: Live = {
    pipeline: async () => await Promise.resolve(pipeline),
    pipelines: async () => await Promise.resolve([pipeline]),
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
      printer.settings.format = format;
      await runScripts(session, [sql]);
      return { printed, said };
    },
    follow: async (sql, until, meanwhile) => {
      [printed, said] = ["", ""];
      printer.settings.format = "csv";
      const interrupt = new AbortController();
      const done = session.execute({ kind: "statement", text: sql, line: 1 }, interrupt.signal);
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
    await database.query(people);
    await database.query('create table counts (window_start timestamptz, "user" text, n bigint, _hidden bigint)');
    await database.query(
      "insert into counts values ('2026-04-01 10:00:00Z', 'ana', 1, 0), ('2026-04-01 10:01:00Z', 'ana', 12345678901, 0)",
    );
  });

  const people = `create schema "Sales-2026"; create table people ("user" text, born date, at timestamptz, balance numeric, exact numeric(30,4),
    doc jsonb, kind "char", tags text[], ok boolean, big bigint);
    insert into people values ('ana', '0044-03-15', '2026-04-01 10:00:00.000001+02', 1234567890123456789.12345, 12345678901234567890.1234,
      '{"v": 1234567890123456.7891}', 'x', '{a,"b,c"}', true, 9007199254740993), ('zoe', null, 'infinity', null, null, null, null, null, null, null);
    create table "not a number" (n numeric); insert into "not a number" values ('NaN');
    create table "Sales-2026"."Order Details" ("User" text, "Net Price" double precision);
    insert into "Sales-2026"."Order Details" select 'bia', 0.1 from generate_series(1, 6000)`;

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
    await expect(desk.ask("\\d count")).rejects.toThrow("has no count; did you mean counts?\nline 1: \\d count");
    // Also what the pipeline does not keep, and a table that its stage has not made yet.
    expect((await desk.ask("\\d people")).printed).toContain("balance,numeric\n");
    await expect(desk.ask("describe later")).rejects.toThrow("the table later does not exist yet");
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
      'column "nothing" does not exist\nline 1: select nothing from counts\n               ^',
    );
  });

  it("a long statement of PostgreSQL ends when it is interrupted, and the session goes on", async () => {
    const interrupt = new AbortController();
    const long = desk.session.execute({ kind: "statement", text: "select pg_sleep(60)", line: 1 }, interrupt.signal);
    setTimeout(() => interrupt.abort(), 300);
    await expect(long).rejects.toThrow("canceling statement due to user request");
    expect((await desk.ask("select 1 as one")).printed).toBe("one\n1\n");
  });

  it("a topic is joined with tables of PostgreSQL: any type, any schema, all rows of one moment", async () => {
    const { printed, said } = await desk.ask(
      `select e.id, p.*, e.ts > p.at as later from ${NAME} e join people p on p."user" = e."user" where e.id < 3`,
      "json",
    );
    expect(printed).toBe(
      '{"id":1,"user":"ana","born":"0044-03-15","at":"2026-04-01T08:00:00.000001Z","balance":1234567890123456789.12345,"exact":12345678901234567890.1234,"doc":{"v": 1234567890123456.7891},"kind":"x","tags":"{a,\\"b,c\\"}","ok":true,"big":9007199254740993,"later":true}\n',
    );
    expect(said).toContain("1 record is no event");
    const joined = `select c.n, p."user", p.at, id from counts c, public.people p left join ${NAME} e on e."user" = p."user" where c.n = 1 order by all`;
    expect((await desk.ask(joined)).printed).toBe(
      "n,user,at,id\n1,ana,2026-04-01 08:00:00.000001+00,1\n1,ana,2026-04-01 08:00:00.000001+00,3\n1,zoe,infinity,\n",
    );
    const sum = `with e as (select * from ${NAME}) select id, count(*) as n, max("Net Price") as p from e join "Sales-2026"."Order Details" o on o."User" = e."user" where id = 2 group by 1`;
    expect((await desk.ask(sum)).printed).toBe("id,n,p\n2,6000,0.1\n");
    const qualified = `select ${NAME}.id, p.ok from ${NAME}, people p where ${NAME}."user" = p."user" and ${NAME}.id = 1`;
    expect((await desk.ask(qualified)).printed).toBe("id,ok\n1,true\n");
    await expect(desk.ask(`select * from ${NAME} join "not a number" on true`)).rejects.toThrow(
      /^a value of the table not a number cannot stand beside a topic: Could not convert string "NaN"/,
    );
    await expect(desk.ask(`${joined} emit changes`)).rejects.toThrow("has no end to wait for with EMIT CHANGES");
  });

  it.each<[sql: string, error: string]>([
    [
      "select * from shop-event",
      'there is no topic or table shop-event; did you mean "shop-events"?\nline 1: select * from shop-event\n                      ^',
    ],
    [
      "select 1;\nselect *\n  from shop_events e, counts\n where true",
      'there is no topic or table shop_events; did you mean "shop-events"?\nline 3:   from shop_events e, counts\n               ^',
    ],
    ["select * from count", "there is no topic or table count; did you mean counts?"],
    ['select * from "Counts" c', 'there is no topic or table "Counts"; did you mean counts?'],
    [
      "select * from shop-events e join count c on true",
      "did you mean counts?\nline 1: select * from shop-events e join count c on true\n                                         ^",
    ],
    [
      "select * from nothing-like-it",
      'there is no topic or table nothing-like-it: there is "shop-events", "shop-events-dlq", counts, later',
    ],
    ["select * from shop-event emit changes", 'there is no topic shop-event; did you mean "shop-events"?'],
    ["select usr from shop-events", 'Candidate bindings: "user"'],
    ["select 'é', usr\nfrom shop-events e", "line 1: select 'é', usr\n                    ^"],
    ["select 'é🎉', usr\nfrom counts", "line 1: select 'é🎉', usr\n                      ^"],
    ["select id from shop-events where id = 'x", "unterminated quoted string"],
    ["select id frm shop-events", "line 1: select id frm shop-events"],
    [
      "select id from shop-events whre id = 1",
      "line 1: select id from shop-events whre id = 1\n                                        ^",
    ],
    [
      "select id from shop-events e where e.idd = 1",
      "line 1: select id from shop-events e where e.idd = 1\n                                           ^",
    ],
    ["select foo(id) from shop-events limit 3", "line 1: select foo(id) from shop-events limit 3\n               ^"],
    ["create stream s as\nselect idd from shop-events", "line 2: select idd from shop-events\n               ^"],
    [
      "create stream s as select * from shop-event",
      'did you mean "shop-events"?\nline 1: create stream s as select * from shop-event\n                                         ^',
    ],
    ["insert into shop-events values (1)", "shop-events is a topic, which SQL only reads"],
    ["insert into counts select * from shop-events", "shop-events is a topic, which SQL only reads"],
    ["select extract(day from nothing)", 'column "nothing" does not exist'],
    ["show topicz", "there is no topicz to show; did you mean SHOW TOPICS?\nline 1: show topicz\n             ^"],
    ["print shop_events", 'there is no topic shop_events; did you mean "shop-events"?\nline 1: print shop_events'],
    ["select * from counts -- the end\nwhere n = = 1", "line 2: where n = = 1\n                  ^"],
    ["select json_group_array(_value::json) from shop-events", "json_group_array would round numbers in JSON: write ("],
    ["\\pset pager sometimes", "sometimes has no meaning here: \\pset pager takes one of on, off, always"],
  ])("%s: what is wrong is told about what was typed", async (sql, error) => {
    await expect(desk.ask(sql)).rejects.toThrow(error);
  });

  it("SHOW asks PostgreSQL for its own settings", async () => {
    expect((await desk.ask("show timezone; show transaction isolation level")).printed).toBe(
      "TimeZone\nUTC\ntransaction_isolation\nread committed\n",
    );
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
