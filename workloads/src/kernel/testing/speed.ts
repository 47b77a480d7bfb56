/** Prints how many events of the app-events pipeline the kernel computes per CPU-second: `node workloads/src/kernel/testing/speed.ts [rows]`. */
import { configOf, tableOf, topicOf } from "@caudal/pipeline/testing";
import { blockOf, kernelOf, NOW } from "./block.ts";

const ROUNDS = 400;
const rows = Number(process.argv[2] ?? 10_000);
const kinds = ["view", "click", "search", "purchase"];
const topic = topicOf(
  { event_id: "uuid", user_id: "string", event_type: "string", event_ts: "timestamp", waiting_time_ms: "double?" },
  "event_ts",
);
const config = configOf(topic, [
  tableOf({ name: "event_counts", groupBy: ["event_type"], aggregates: ["count(*) as count"] }),
  tableOf({ name: "user_event_counts", groupBy: ["user_id"], aggregates: ["count(*) as count"] }),
  tableOf({
    name: "user_avg_waiting_time",
    window: { hopping: { size: "3m", advance: "1m" } },
    groupBy: ["user_id"],
    aggregates: ["avg(waiting_time_ms) as avg_waiting_time_ms"],
  }),
]);
const values = Array.from({ length: rows }, (_, row) => ({
  event_id: `123e4567-e89b-12d3-a456-${String(row).padStart(12, "0")}`,
  user_id: `u${(row * 7919) % 10_000}`,
  event_type: kinds[row % kinds.length],
  event_ts: new Date(NOW + (row % 180) * 1_000).toISOString(),
  waiting_time_ms: row % 10 === 0 ? null : (row % 1_000) / 4,
}));
const block = blockOf(values);
const kernel = await kernelOf(config);
await kernel.add(block, { watermark: null });
const before = process.cpuUsage();
const start = performance.now();
for (let round = 0; round < ROUNDS; round += 1) await kernel.add(block, { watermark: null });
const { user, system } = process.cpuUsage(before);
const elapsed = performance.now() - start;
const deltas = await kernel.take();
await kernel.close();
console.log(`${rows} events a block, ${Math.round(block.bytes.length / rows)} bytes an event`);
console.log(
  `${((rows * ROUNDS) / (user + system)).toFixed(2)} M events per CPU-second, ${(elapsed / ROUNDS).toFixed(1)} ms a block`,
);
console.log(`${deltas.map((delta) => `${delta.table.name}: ${delta.rows} rows`).join(", ")}`);
