import { expect, test } from "vitest";
import { WorkloadError } from "./errors.ts";
import { FailureLog } from "./failure-log.ts";
import { createLog } from "./log.ts";

class Away extends WorkloadError {
  readonly code = "AWAY";
  readonly reason = "DatabaseUnavailable";
  readonly retryable: boolean = true;
}
class Refused extends Away {
  override readonly retryable = false;
}

function scene() {
  const lines: string[] = [];
  const log = createLog({}, "info", {
    write: (line: string) => {
      const { level, reason, error } = JSON.parse(line) as Record<string, string>;
      lines.push(`${level} ${reason} ${error}`);
    },
  });
  const clock = { now: 0 };
  return { failures: new FailureLog(log, () => clock.now), lines, clock };
}

test("what comes and goes is information, said once, and what lasts is a warning", () => {
  const { failures, lines, clock } = scene();
  for (; clock.now < 60_000; clock.now += 1_000) failures.note(new Away("password authentication failed"));
  expect(lines).toEqual(["info DatabaseUnavailable password authentication failed"]);
  for (; clock.now < 120_000; clock.now += 1_000) failures.note(new Away("password authentication failed"));
  expect(lines.slice(1)).toEqual(["warn DatabaseUnavailable password authentication failed"]);
});

test("after work was finished a failure is a new one", () => {
  const { failures, lines, clock } = scene();
  failures.note(new Away("not coordinator"));
  expect(failures.clear()).toBe(true);
  expect(failures.clear()).toBe(false);
  clock.now = 100_000;
  failures.note(new Away("not coordinator"));
  expect(lines).toEqual(Array(2).fill("info DatabaseUnavailable not coordinator"));
});

test.each([
  ["what trying again does not help", new Refused("no such table"), "DatabaseUnavailable"],
  ["what nobody expected", new TypeError("x is not a function"), "Unexpected"],
])("%s is a warning at once", (_what, error, reason) => {
  const { failures, lines } = scene();
  failures.note(error);
  expect(lines).toEqual([`warn ${reason} ${error.message}`]);
});

test("a failure that passes by itself is an error of the stage when it has not, others are at once", () => {
  const { failures, clock } = scene();
  const away = new Away("deadlock detected");
  const shown = (error: unknown, passes?: boolean) => {
    failures.note(error);
    return failures.isToShow(error, passes);
  };
  expect([shown(away), shown(new Refused("no such table")), shown(new TypeError("x"))]).toEqual([false, true, true]);
  expect(shown(new Refused("row refused"), true)).toBe(false);
  clock.now = 4_999;
  expect(shown(away)).toBe(false);
  clock.now = 5_000;
  expect(shown(away)).toBe(true);
  failures.clear();
  expect(shown(away)).toBe(false);
});
