import { expect, it } from "vitest";
import { HEARTBEAT_LIMIT_MS } from "../../runtime/health.ts";
import { holdMs } from "./hold.ts";

const almostOne = () => 0.999;

it.each([
  ["another worker's commit", { reason: "ProgressMoved", retryable: true }, 1_000],
  ["a record to be found", { reason: "RefusedByDatabase", retryable: false }, 1_000],
  ["an outage", { reason: "DatabaseUnavailable", retryable: true }, 10_000],
  ["what needs a person", { reason: "TableClaimed", retryable: false }, 5_000],
])("waits after %s longer each time, up to a limit below the heartbeat's", (_, failure, limit) => {
  const waits = Array.from({ length: 30 }, (__, index) => holdMs(failure, index + 1, almostOne));
  expect(waits[1]).toBeGreaterThan(waits[0] ?? 0);
  expect(Math.max(...waits)).toBeLessThanOrEqual(limit);
  expect(Math.max(...waits)).toBeGreaterThan(0.9 * limit);
  expect(limit).toBeLessThan(HEARTBEAT_LIMIT_MS / 2);
});
