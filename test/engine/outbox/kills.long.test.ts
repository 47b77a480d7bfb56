/** Who copies and sends final rows is killed again and again, while rows are written, revised and become final. */
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { Ledger } from "../../../workloads/src/aggregator/ledger.ts";
import { checkWindows } from "../../../workloads/src/postgres/marks.ts";
import { compareAndMove, insertFirstProgress } from "../../../workloads/src/postgres/progress.ts";
import { compilePlan } from "../../../pipeline/src/sql/compile.ts";
import { randomFrom } from "../aggregator/events.ts";
import { delta } from "../aggregator/plans.ts";
import { killWorkers, stageConfig, startWorker, type Worker } from "../aggregator/stage.ts";
import { createTopic } from "../aggregator/topic.ts";
import { type Broker, sharedBroker } from "../broker.ts";
import { type Postgres, startPostgres } from "../postgres.ts";
import { programFile } from "../../bundle.ts";

let broker: Broker;
let server: Postgres;
beforeAll(async () => {
  [broker, server] = await Promise.all([sharedBroker(), startPostgres()]);
});
afterEach(killWorkers);
afterAll(async () => {
  await Promise.all([broker?.stop(), server?.stop()]);
});

const KILLS = 12;
const program = programFile("house");
const soon = { timeout: 120_000, interval: 200 };
const pad = (minute: number) => String(minute).padStart(2, "0");

it("the last record of each row is the row, and none comes twice", async () => {
  const database = await server.database("kills");
  const names = ["kills", "kills-finals", "kills-hops"] as const;
  for (const name of names) await (await createTopic(broker, name, name === "kills-finals" ? 3 : 1)).close();
  const emit = (topic: string) => ({ emit: { final: { topic, revisions: true } } });
  const table = (name: string, window: object, topic: string) => ({
    ...{ name, groupBy: ["kind"], aggregates: ["count(*) as n", "avg(v) as mean", "min(v) as lowest"] },
    ...emit(topic),
    window,
  });
  const config = stageConfig({
    ...{ broker, secret: database.secret, topic: "kills" },
    aggregator: {
      topic: {
        name: "kills",
        fields: [
          { name: "kind", type: "string", nullable: true },
          { name: "v", type: "double", nullable: true },
        ],
      },
      tables: [
        table("per_minute", { tumbling: { size: "1m" } }, "kills-finals"),
        table("per_three", { hopping: { size: "3m", advance: "1m" } }, "kills-hops"),
      ],
    },
  });
  const { tables } = await compilePlan(config.aggregator ?? expect.fail("an aggregator"));
  const owner = { pipeline: "shop/events", stage: config.stage.name, uid: "first" };
  const scope = { owner, topic: "kills", topicId: "id" };
  const ledger = await Ledger.open({
    ...{ secret: database.secret, owner, tables, move: compareAndMove, check: checkWindows, closing: new Map() },
    ...{
      onCall: () => undefined,
      onRetry: () => undefined,
      generation: async () => await Promise.resolve(1),
      log: pino({ level: "silent" }),
    },
  });
  const places = tables.map(({ name, hash }) => ({ output: name, plan: hash, partition: 0, offset: 0 }));
  await insertFirstProgress(ledger.control, scope, places);

  const random = randomFrom(7);
  const pick = (below: number) => Math.floor(random() * below);
  const watermark = async (minute: number, second = 0): Promise<void> => {
    await database.query(
      `insert into caudal.watermarks (pipeline, stage, watermark) values ($1, $2, $3)
        on conflict (pipeline, stage) do update set watermark = excluded.watermark`,
      [owner.pipeline, owner.stage, new Date(Date.UTC(2026, 0, 1, 0, minute, second)).toISOString()],
    );
  };
  // Minutes close as worker follows worker: a slow machine's would otherwise find them all closed.
  let [offset, minute, lastMinute, feeding] = [0, 4, 4, true];
  const feed = (async () => {
    while (feeding) {
      const rows = new Map<string, readonly [string, string | null, string, string, string]>();
      for (let row = 0; row < 60; row++) {
        const [start, kind] = [pad(minute + 1 - pick(5)), pick(40) === 0 ? null : `k${pick(300)}`];
        rows.set(`${start} ${kind}`, [start, kind, "1", String(pick(100)), "1"]);
      }
      const moves = tables.map(({ name, hash }) => ({
        ...{ output: name, plan: hash, partition: 0, from: offset, to: offset + 1, fromEpoch: -1, toEpoch: -1 },
        maxEventTime: null,
      }));
      await ledger.commit(scope, {
        deltas: tables.map((one) => delta(one, [...rows.values()])),
        moves,
        ...{
          letters: [],
          judgements: [],
          events: 1,
          late: new Map(),
          lateEvents: 0,
          expired: new Map(),
          traceparents: [],
        },
      });
      offset++;
      if (pick(12) === 0 && minute < lastMinute) await watermark(++minute);
      await sleep(15);
    }
  })();

  let stopped: Worker | undefined;
  for (let kill = 0; kill < KILLS; kill++) {
    lastMinute = 4 + Math.ceil((50 * (kill + 1)) / KILLS);
    const house = await startWorker(config, { program });
    await expect.poll(() => house.log().includes("keeps house for the stage"), soon).toBe(true);
    // One that wakes up while another leads: it does not know that it has been replaced.
    stopped?.signal("SIGCONT");
    await sleep(100 + random() * 1_200);
    await stopped?.kill();
    stopped = undefined;
    if (kill % 3 === 2) {
      house.signal("SIGSTOP");
      stopped = house;
      await database.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'caudal%housekeeping'",
      );
    } else await house.kill();
  }
  await stopped?.kill();
  feeding = false;
  await feed;
  await watermark(59, 59);
  await startWorker(config, { program });
  const left = `select (select count(*)::int from caudal.outbox) as rows,
    (select count(*)::int from caudal.claims where emitted_end is distinct from '2026-01-01T00:59:00Z') as behind`;
  await expect.poll(async () => await database.query<object>(left), soon).toEqual([{ rows: 0, behind: 0 }]);
  await ledger.close();

  for (const [topic, partitions, name] of [
    ["kills-finals", 3, "per_minute"],
    ["kills-hops", 1, "per_three"],
  ] as const) {
    const reader = await createTopic(broker, topic, partitions);
    const records = (await reader.readTo(await reader.seal())).filter(({ value }) => value !== null);
    await reader.close();
    const last = new Map<string, { revision: number; text: string }>();
    let revisions = 0;
    for (const { value } of records) {
      const row = JSON.parse(String(value)) as { window_start: string; kind: string | null; revision: number };
      const id = `${row.window_start} ${row.kind ?? "-"}`;
      expect(row.revision).toBeGreaterThan(last.get(id)?.revision ?? -1);
      if (last.has(id)) revisions++;
      last.set(id, { revision: row.revision, text: JSON.stringify(row) });
    }
    const rows = await database.query<{ row: object }>(
      `select row_to_json(r) as row from (select window_start, window_end, kind, n, mean, lowest, revision from ${name}
        where window_end <= '2026-01-01T00:59:00Z') r`,
    );
    expect([...last.values()].map(({ text }) => text).sort()).toEqual(
      rows.map(({ row }) => JSON.stringify(row)).sort(),
    );
    expect(revisions).toBeGreaterThan(100);
  }
});
