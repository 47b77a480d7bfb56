/** Durations are measured by the monotonic clock: a date may jump. Where the date is read, it is because a date is meant. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../../..");

/** By file, how often it reads the date, and what for. */
const dates: Readonly<Record<string, readonly [number, string]>> = {
  "operator/src/kube/events.ts": [1, "the times of an event"],
  "operator/src/kube/lease.ts": [1, "what other programs read in a lease; its age is measured by the clock"],
  "operator/src/operator.ts": [1, "the times of conditions"],
  "workloads/src/aggregator/aggregator.ts": [1, "the timestamps of dead letters"],
  "workloads/src/generator/generator.ts": [1, "the timestamps of events"],
  "workloads/src/outbox/relay.ts": [1, "the timestamps of records"],
  "workloads/src/source/cdc/stream.ts": [1, "PostgreSQL's protocol: the sender's date in a status update"],
  "workloads/src/source/sink.ts": [1, "the timestamps of records"],
  "workloads/src/transform/transform.ts": [1, "the timestamps of dead letters"],
};

test("every place that reads the machine's date is known, and says what for", () => {
  const files = globSync("{operator,pipeline,workloads}/src/**/*.ts", { cwd: root }).filter(
    (file) => !file.endsWith(".test.ts") && !file.includes("/testing/"),
  );
  const found = Object.fromEntries(
    files.flatMap((file) => {
      const code = readFileSync(join(root, file), "utf8").replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
      const times = [...code.matchAll(/Date\.now\b|new Date\(\)|Date\(\)/g)].length;
      return times === 0 ? [] : [[file, times]];
    }),
  );
  expect(found).toEqual(Object.fromEntries(Object.entries(dates).map(([file, [times]]) => [file, times])));
});
