/**
 * Prints what a table of sessions costs beside one of tumbling windows, in the kernel and in PostgreSQL:
 * `node test/engine/aggregator/session-speed.ts [events] [events a commit]`. 10,000 users, an hour of events, 3 s out of order.
 */
import { readdirSync, readFileSync } from "node:fs";
import { Connection } from "../../../workloads/src/postgres/connection.ts";
import { merge } from "../../../workloads/src/postgres/core/merge.ts";
import { migrate } from "../../../workloads/src/postgres/schema.ts";
import { prepareTables } from "../../../workloads/src/postgres/tables.ts";
import { compilePlan } from "../../../pipeline/src/sql/compile.ts";
import { configOf, tableOf, topicOf } from "@caudal/pipeline/testing";
import { blockOf, kernelOf, NOW } from "../../../workloads/src/kernel/testing/block.ts";
import { startPostgres } from "../postgres.ts";
import { randomFrom } from "./events.ts";

const [events = 1_000_000, commit = 50_000] = process.argv.slice(2).map(Number);
const BLOCK = 10_000;
const topic = topicOf({ user_id: "string", event_ts: "timestamp", waiting_time_ms: "double?" }, "event_ts");
const shared = { groupBy: ["user_id"], aggregates: ["count(*) as count", "avg(waiting_time_ms) as mean"] };
const tables = [
  tableOf({ name: "per_minute", window: { tumbling: { size: "1m" } }, ...shared }),
  tableOf({ name: "sessions", window: { session: { gap: "1m" } }, ...shared }),
];
const random = randomFrom(42);
const blocks = Array.from({ length: Math.ceil(events / BLOCK) }, (_, block) =>
  blockOf(
    Array.from({ length: BLOCK }, (_, row) => ({
      user_id: `u${Math.floor(random() * 10_000)}`,
      event_ts: new Date(NOW + ((block * BLOCK + row) / events) * 3_600_000 + random() * 3_000).toISOString(),
      waiting_time_ms: random() < 0.1 ? null : Math.floor(random() * 4_000) / 4,
    })),
  ),
);

/** CPU-seconds of a server's processes, by the process of one of its sessions. */
const postgresSeconds = (pid: number): number => {
  const stat = (id: string) => {
    try {
      return readFileSync(`/proc/${id}/stat`, "utf8")
        .replace(/^.*\) /, "")
        .split(" ");
    } catch {
      return []; // it has ended meanwhile
    }
  };
  const parent = stat(String(pid))[1];
  return readdirSync("/proc")
    .filter((id) => /^\d+$/.test(id))
    .map(stat)
    .filter((fields) => fields[1] === parent)
    .reduce((sum, fields) => sum + (Number(fields[11]) + Number(fields[12])) / 100, 0);
};

const server = await startPostgres();
for (const table of tables) {
  const database = await server.database(table.name);
  const connection = await Connection.open({ secret: database.secret, applicationName: "speed" });
  const config = configOf(topic, [table]);
  const kernel = await kernelOf(config, { maxAheadMs: 1e12 });
  await migrate(connection);
  await prepareTables(connection, { pipeline: "speed", stage: "s", uid: "u" }, (await compilePlan(config)).tables, 1);
  const { rows } = await connection.query<{ pid: number }>("ask", { text: "select pg_backend_pid() as pid" });
  const pid = rows[0]?.pid ?? 0;
  let [kernelMs, postgres, merged, slowest] = [0, 0, 0, 0];
  for (let start = 0; start < blocks.length; start += commit / BLOCK) {
    const before = process.cpuUsage();
    for (const block of blocks.slice(start, start + commit / BLOCK)) await kernel.add(block, { watermark: null });
    const deltas = await kernel.take();
    const { user, system } = process.cpuUsage(before);
    kernelMs += (user + system) / 1_000;
    const [used, began] = [postgresSeconds(pid), performance.now()];
    await connection.transaction("commit", deltas.flatMap(merge));
    slowest = Math.max(slowest, performance.now() - began);
    postgres += postgresSeconds(pid) - used;
    merged += deltas.reduce((sum, delta) => sum + delta.rows, 0);
  }
  const [size] = await database.query<{ rows: string }>(`select count(*) as rows from ${table.name}`);
  console.log(
    `${table.name}: kernel ${(events / kernelMs / 1_000).toFixed(2)} M events per CPU-second; PostgreSQL ${(
      (postgres / events) *
      1e6
    ).toFixed(
      2,
    )} CPU-seconds per M events, ${((postgres / merged) * 1e6).toFixed(1)} µs a row, slowest commit ${Math.round(
      slowest,
    )} ms; ${merged} rows merged into ${size?.rows ?? ""}`,
  );
  await kernel.close();
  await connection.close();
}
await server.stop();
