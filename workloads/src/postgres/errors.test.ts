import { expect, it } from "vitest";
import { databaseError, DatabaseRefused } from "./errors.ts";

const failed = (code?: string) => Object.assign(new Error("text"), code === undefined ? {} : { code });

it.each([
  ["40P01", "TransactionConflict", true],
  ["40001", "TransactionConflict", true],
  ["22003", "RefusedByDatabase", false],
  ["23502", "RefusedByDatabase", false],
  ["54000", "RefusedByDatabase", false],
  ["CD001", "ProgressMoved", true],
  ["53100", "DatabaseExhausted", true],
  ["53300", "DatabaseExhausted", true],
  ["57P01", "DatabaseUnavailable", true],
  ["08006", "DatabaseUnavailable", true],
  ["25006", "DatabaseUnavailable", true],
  ["42501", "DatabaseRefused", false],
  ["28P01", "DatabaseRefused", false],
  ["ECONNREFUSED", "DatabaseUnavailable", true],
  ["EPIPE", "DatabaseUnavailable", true],
  [undefined, "DatabaseUnavailable", true],
])("%s is %s", (code, reason, retryable) => {
  const error = databaseError(failed(code), "commit");
  expect([error.reason, error.retryable]).toEqual([reason, retryable]);
  expect(error.message).toContain("commit: text");
});

it("keeps an error that has its class already", () => {
  const refused = new DatabaseRefused("no");
  expect(databaseError(refused, "commit")).toBe(refused);
});
