/** 10,000 pipelines: each is looked at once a round, its SQL is checked once in all, and none is forgotten. */
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { pino } from "pino";
import type { StreamPipeline } from "@caudal/crds";
import { givenPipeline } from "@caudal/pipeline/testing";
import { SqlChecks } from "./sql-checks.ts";
import { Controller } from "./controller.ts";
import { KeyedQueue } from "./queue.ts";

const PIPELINES = 10_000;
const NAMESPACES = 100;

test("three rounds of 10,000 pipelines are 30,000 reconciles and 10,000 checks of SQL", async () => {
  const base = givenPipeline();
  const pipelines = new Map<string, StreamPipeline>(
    Array.from({ length: PIPELINES }, (_, index) => {
      const metadata = {
        ...base.metadata,
        namespace: `ns-${index % NAMESPACES}`,
        name: `p-${index}`,
        uid: `u-${index}`,
      };
      const [aggregator] = base.spec.aggregators ?? [];
      if (aggregator === undefined) throw new TypeError("the example has an aggregator");
      // Its SQL is its own.
      const spec = { ...base.spec, aggregators: [{ ...aggregator, where: `waiting_time_ms > ${index}` }] };
      return [`${metadata.namespace}/${metadata.name}`, { ...base, metadata, spec }] as const;
    }),
  );
  let checks = 0;
  const queue = new KeyedQueue({ atOnceByTenant: 3 });
  const sql = new SqlChecks({
    ask: async () => (checks++, await Promise.resolve({ problems: [], transforms: [] })),
    onChecked: (key) => verdicts.add(key),
  });
  const verdicts = new Set<string>();
  const looks = new Map<string, number>();
  const controller = new Controller({
    queue,
    workers: 4,
    log: pino({ level: "silent" }),
    reconcile: async (key) => {
      looks.set(key, (looks.get(key) ?? 0) + 1);
      const pipeline = pipelines.get(key);
      if (pipeline !== undefined) sql.check(pipeline);
      return await Promise.resolve({});
    },
  });
  controller.start();
  for (let round = 1; round <= 3; round++) {
    for (const key of pipelines.keys()) queue.add(key);
    while ([...looks.values()].filter((times) => times === round).length < PIPELINES || verdicts.size < PIPELINES)
      await turn();
    expect(checks).toBe(PIPELINES);
  }
  expect(queue.depth).toBe(0);
  expect([...pipelines.values()].every((pipeline) => sql.check(pipeline).unchecked === undefined)).toBe(true);
  expect(checks).toBe(PIPELINES);
  await controller.stop();
  await sql.stop();
});
