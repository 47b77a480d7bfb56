/** Guards of sources and of outputs to topics: with each everything is there once, and with only it taken out it is not. */
import type { SourceConfig, WorkloadConfig } from "@caudal/crds";
import { expect, it } from "vitest";
import type { useScene } from "../engine/aggregator/scene.ts";
import type { Worker } from "../engine/aggregator/stage.ts";
import { createTopic, type LoggedRecord, type Topic } from "../engine/aggregator/topic.ts";
import type { Database } from "../engine/postgres.ts";
import { field, recordsOf, sourceConfig } from "../engine/source/scene.ts";
import { session } from "../engine/source/writers.ts";
import { untilWritten } from "../engine/transform/places.ts";
import { fields } from "../engine/transform/scene.ts";
import { lines, owns, start, until, withAndWithout } from "./guarding.ts";
import { compareRows, type Row, valuesOf } from "./scenarios/rows.ts";
import type { Mutant } from "./src/mutants.ts";

type NewScene = ReturnType<typeof useScene>;

export function guardsOfStages(newScene: NewScene): void {
  it("late commit: what a transaction wrote that ends late is not passed over", async () => {
    const scenario = async (mutants: readonly Mutant[]) => {
      const { database, server, topic, config } = await itemsOf(newScene, { mode: "timestamp" });
      const worker = await start(config, mutants);
      await arrived(topic, 1, worker);
      const late = await session({ server, database });
      await late.query("begin");
      await late.query("insert into items values (2, now())");
      await database.query("insert into items values (3, now())");
      await looks(database, worker);
      await late.query("commit");
      await late.end();
      await database.query("insert into items values (4, now())");
      await arrived(topic, 4, worker);
      return idsOf(await recordsOf(topic));
    };
    const [guarded, unguarded] = await withAndWithout("late-commit", scenario);
    expect(guarded).toEqual([1, 2, 3, 4]);
    expect(unguarded).toEqual([1, 3, 4]);
  });

  it("part of a transaction: a source that was killed in the middle of one goes on there", async () => {
    const scenario = async (mutants: readonly Mutant[]) => {
      const { database, topic, config } = await itemsOf(newScene, { mode: "cdc", timestampColumn: undefined });
      const first = await start(config, mutants);
      await arrived(topic, 1, first);
      await first.drain();
      await database.query("insert into items select n, now() from generate_series(2, 1500) n");
      const second = await start(config, mutants);
      await until("some were sent", async () => (await second.status()).events > 0, second);
      await second.kill();
      await database.query("insert into items values (1501, now())");
      const third = await start(config, mutants);
      await arrived(topic, 1_501, third);
      const ids = idsOf(await recordsOf(topic));
      const stopped = (await third.status()).events > 1;
      return { stopped, distinct: new Set(ids).size, repeated: ids.length - new Set(ids).size };
    };
    const [guarded, unguarded] = await withAndWithout("part-of-transaction", scenario, ["small-parts"]);
    expect(guarded).toEqual({ stopped: true, distinct: 1_501, repeated: 0 });
    expect(unguarded).toMatchObject({ stopped: true, distinct: 1_501 });
    expect(unguarded.repeated).toBeGreaterThan(0);
  });

  it("generation: a transform that was stopped for longer than its session writes nothing any more", async () => {
    const scenario = async (mutants: readonly Mutant[]) => {
      const { broker, topic, deadLetters, database } = await newScene(4);
      const out = await createTopic(broker, `${topic.name}-out`, 1);
      const config: WorkloadConfig = {
        version: 1,
        pipeline: { namespace: "shop", name: topic.name, uid: "first", generation: 1 },
        stage: { name: "copy", role: "transform" },
        kafka: { bootstrapServers: [broker.bootstrap] },
        transform: {
          topic: { name: topic.name, timestamp: "event_ts", fields },
          ...{ lookups: [], deadLetterTopic: deadLetters.name, replicas: 2 },
          to: [{ name: "out", topic: { name: out.name, fields: [] } }],
        },
      };
      const written = async (ends: ReadonlyMap<number, number>): Promise<void> =>
        await untilWritten(config, { topic, database }, ends);
      const zombie = await start(config, mutants);
      await owns(zombie, 4);
      await topic.send(lines(11, 500));
      await written(await topic.seal());
      // An answer of the broker will lie in its socket, with records that another one writes meanwhile.
      zombie.signal("SIGSTOP");
      await topic.send(lines(11, 500, 500));
      const ends = await topic.seal();
      const other = await start(config, mutants);
      await written(ends);
      zombie.signal("SIGCONT");
      await owns(zombie, 2);
      await owns(other, 2);
      await topic.send(lines(11, 10, 1_000));
      const last = await topic.seal();
      await written(last);
      const [log, copied] = [await topic.readTo(last), await recordsOf(out)];
      await out.close();
      return compareRows("out", valuesOf<Row>(copied), valuesOf<Row>(log), "event_id", "in any order");
    };
    const [guarded, unguarded] = await withAndWithout("generation", scenario, ["short-session"]);
    expect(guarded).toEqual([]);
    expect(unguarded[0]).toContain("2 rows, should be 1");
  });
}

/** A table with one row, and a source of it. */
async function itemsOf(newScene: NewScene, postgres: Partial<SourceConfig["postgres"]>) {
  const { broker, server, database, topic } = await newScene(1);
  await database.query(`create table items (id int primary key, changed timestamptz not null);
    insert into items values (1, now() - interval '1 hour')`);
  const config = sourceConfig(
    topic.name,
    broker.bootstrap,
    { secret: database.secret, ...postgres },
    { fields: [field("id", "integer"), field("changed", "timestamp")], key: "id" },
  );
  return { database, server, topic, config };
}

const idsOf = (records: readonly LoggedRecord[]): number[] =>
  records.map((record) => Number(record.key)).sort((a, b) => a - b);

async function arrived(topic: Topic, id: number, worker: Worker): Promise<void> {
  await until(`${id} arrived`, async () => idsOf(await recordsOf(topic)).includes(id), worker);
}

/** Until the source has looked at the table again, from the beginning of a look to its end. */
async function looks(database: Database, worker: Worker): Promise<void> {
  const times = new Set<string>();
  await until(
    "it looks again",
    async () => {
      const [row] = await database.query<{ at: string }>(
        "select query_start::text as at from pg_stat_activity where application_name like 'caudal %source' and datname = current_database()",
      );
      return row !== undefined && times.add(row.at).size > 5;
    },
    worker,
  );
}
