import { pino } from "pino";
import { expect, it } from "vitest";
import { lagOf } from "@caudal/crds";
import { Health } from "../runtime/health.ts";
import { createMetrics } from "../runtime/metrics.ts";
import { Trouble } from "../stage/trouble.ts";
import { Report } from "./report.ts";
import { WatermarkKeeper } from "./watermark-keeper.ts";

it("says of each partition what lag does not: records behind a transaction that stays open", async () => {
  const health = new Health(1);
  const metrics = createMetrics({ namespace: "n", pipeline: "p", stage: "s", role: "aggregator" });
  const report = new Report(
    { metrics, health },
    { topic: "t", idleTimeoutMs: 60_000 },
    new WatermarkKeeper({ tables: [{ name: "a", hash: "h" }], maxDelayMs: 0, closing: new Map() }),
    new Trouble(health, pino({ level: "silent" })),
  );
  const assign = () =>
    report.assigned(
      [0, 1].map((partition) => ({ partition, offset: 5, tables: [{ table: "a", epoch: 0, judgedBy: null }] })),
      new Map(),
    );
  const see = (highWatermark: number, agoMs: number) => {
    const askedAt = performance.now() - agoMs;
    const end = { topic: "t", logStartOffset: 0, lastStableOffset: 5, askedAt };
    report.seen(
      [0, 1].map((partition) => ({ ...end, partition, highWatermark: partition === 0 ? 5 : highWatermark })),
      true,
    );
    report.publish();
  };
  assign();
  see(6, 240_000);
  see(900, 0);
  const [whole, held] = health.status().partitions;
  expect(whole).not.toHaveProperty("undecided");
  expect(held).toMatchObject({ nextOffset: 5, endOffset: 5, undecided: { offset: 5, records: 895 } });
  expect(Date.now() - (held?.undecided?.since ?? 0)).toBeGreaterThan(200_000);
  expect(await metrics.registry.metrics()).toMatch(/caudal_undecided_seconds\{topic="t",partition="1",[^}]*\} 2\d\d/);
  see(5, 0);
  expect(health.status().partitions[1]).not.toHaveProperty("undecided");
  see(6, 0);
  assign();
  expect(health.status().partitions[1]).not.toHaveProperty("undecided");
});

it("what waits is unknown until it is known where the tables stand, and is then measured also while nothing is read", () => {
  const health = new Health(1);
  const report = new Report(
    { metrics: createMetrics({ namespace: "n", pipeline: "p", stage: "s", role: "aggregator" }), health },
    { topic: "t", idleTimeoutMs: 0 },
    new WatermarkKeeper({ tables: [{ name: "a", hash: "h" }], maxDelayMs: 0, closing: new Map() }),
    new Trouble(health, pino({ level: "silent" })),
  );
  expect(lagOf(health.status())).toBeUndefined();
  expect(health.status().lagUnknown).toContain("where the tables stand in t");
  health.setError("DatabaseUnavailable", "Secret/db: connection refused");
  expect(health.status().lagUnknown).toBe("Secret/db: connection refused");
  report.expects([0, 1]);
  const lanes = [0, 1].map((partition) => ({
    ...{ partition, offset: 5 },
    tables: [{ table: "a", epoch: 0, judgedBy: null }],
  }));
  report.assigned(
    lanes,
    new Map([
      [0, 5],
      [1, 38_954],
    ]),
  );
  expect(lagOf(health.status())).toBe(38_949);
  report.ended(
    new Map([
      [0, 105],
      [1, 38_954],
    ]),
  );
  expect(lagOf(health.status())).toBe(39_049);
  report.expects([0, 1]);
  expect(lagOf(health.status())).toBe(39_049);
  report.expects([0, 1, 2]);
  expect(lagOf(health.status())).toBeUndefined();
});
