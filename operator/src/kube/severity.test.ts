import { expect, test } from "vitest";
import * as errors from "./errors.ts";
import { severityOf } from "./severity.ts";

const minute = 60_000;

test.each([
  [new errors.Conflict("x"), "debug", "warn"],
  [new errors.NotFound("x"), "warn", "warn"],
  [new errors.Invalid("x"), "warn", "warn"],
  [new errors.KindNotServed("x"), "info", "warn"],
  [new errors.Gone("x"), "info", "warn"],
  [new errors.Forbidden("x"), "info", "warn"],
  [new errors.NamespaceEnds("x"), "info", "warn"],
  [new errors.TooManyRequests("x", 0), "info", "warn"],
  [new errors.ServerFailed("x"), "info", "warn"],
  [new errors.Unreachable("x"), "info", "warn"],
  [new errors.BadAnswer("x"), "info", "warn"],
  [new TypeError("x"), "error", "error"],
])("%s is %s at first and %s when it lasts", (error, first, lasting) => {
  expect(severityOf(error, 0)).toBe(first);
  expect(severityOf(error, minute - 1)).toBe(first);
  expect(severityOf(error, minute)).toBe(lasting);
});

test("every error of a call to the API server is in the table", () => {
  const classes = Object.values(errors).filter((value) => typeof value === "function" && /^class/.test(String(value)));
  expect(classes.map(({ name }) => name).filter((name) => name !== "KubeError")).toHaveLength(11);
});
