import { pino } from "pino";
import { expect, test } from "vitest";
import { lagOf } from "@caudal/crds";
import { Health } from "../runtime/health.ts";
import { createMetrics } from "../runtime/metrics.ts";
import { Trouble } from "../stage/trouble.ts";
import { Report, StageReport } from "./report.ts";

const position = (partition: number, offset: number) => ({ partition, offset, epoch: 0 });

test("a stage's lag is unknown while one of its outputs does not know where it stands, and is the slowest one's then", () => {
  const health = new Health(1);
  const metrics = createMetrics({ namespace: "n", pipeline: "p", stage: "s", role: "transform" });
  const stage = new StageReport({ metrics, health }, "t", ["quick", "blocked"]);
  const trouble = new Trouble(health, pino({ level: "silent" }));
  const quick = new Report(stage, "quick", true, trouble);
  const blocked = new Report(stage, "blocked", false, trouble);
  expect(lagOf(health.status())).toBeUndefined();
  quick.assigned([position(0, 100)], new Map([[0, 100]]));
  expect(lagOf(health.status())).toBeUndefined();
  expect(health.status().lagUnknown).toContain("output blocked");
  // Its lookup fails from now on: nothing is read, and the ends are asked for all the same.
  blocked.assigned([position(0, 20)], new Map([[0, 100]]));
  expect(lagOf(health.status())).toBe(80);
  blocked.ended(new Map([[0, 38_969]]));
  expect(lagOf(health.status())).toBe(38_949);
  blocked.expects([0]);
  expect(lagOf(health.status())).toBe(38_949);
  blocked.expects([0, 1]);
  expect(lagOf(health.status())).toBeUndefined();
});
