import { expect, it } from "vitest";
import { databaseError, DatabaseRefused, loginError, rowsError } from "./errors.ts";

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

it.each([
  ["28P01", "correct username and password there"],
  ["28000", "correct username there"],
  ["3D000", "create the database"],
  ["42501", "grant the user CONNECT"],
])("a login that is refused with %s may come, and says what to do where it does not", (code, advice) => {
  const error = loginError(failed(code), "database d as user u (Secret/s)");
  expect([error.reason, error.retryable]).toEqual(["DatabaseRefused", true]);
  expect(error.message).toContain("connect to database d as user u (Secret/s): text");
  expect(error.message).toContain(advice);
});

it("a Secret that is no login needs a person", () => {
  expect(loginError(new DatabaseRefused("no readable key username"), "x").retryable).toBe(false);
});

it("keeps an error that has its class already", () => {
  const refused = new DatabaseRefused("no");
  expect(databaseError(refused, "commit")).toBe(refused);
});

it.each([
  ["a trigger's own error", { code: "P0001", file: "pl_exec.c", routine: "exec_stmt_raise" }, "RefusedByDatabase"],
  ["a full disk that a trigger makes up", { code: "53100", file: "pl_exec.c" }, "RefusedByDatabase"],
  ["a conflict of progress that a trigger makes up", { code: "CD001", file: "pl_exec.c" }, "RefusedByDatabase"],
  ["an error of plpython's", { code: "57P01", file: "plpy_elog.c" }, "RefusedByDatabase"],
  ["a full disk", { code: "53100", file: "md.c", routine: "mdextend" }, "DatabaseExhausted"],
  ["an error of the planner", { code: "53200", file: "planner.c" }, "DatabaseExhausted"],
  ["a deadlock", { code: "40P01", file: "deadlock.c" }, "TransactionConflict"],
  ["a shutdown", { code: "57P01", file: "postgres.c" }, "DatabaseUnavailable"],
  ["a statement that takes too long", { code: "57014", file: "postgres.c" }, "RefusedByDatabase"],
  ["a privilege", { code: "42501", file: "aclchk.c", routine: "aclcheck_error" }, "DatabaseRefused"],
  ["a privilege of a sequence", { code: "42501", file: "sequence.c", routine: "nextval_internal" }, "DatabaseRefused"],
  ["row security", { code: "42501", file: "execMain.c", routine: "ExecWithCheckOptions" }, "RefusedByDatabase"],
  ["a check option", { code: "44000", file: "execMain.c" }, "RefusedByDatabase"],
  ["a damaged index", { code: "XX002", file: "nbtpage.c" }, "DatabaseRefused"],
  ["a lost socket", { code: "ECONNRESET" }, "DatabaseUnavailable"],
])("of a statement that writes rows, %s", (_, fields, reason) => {
  expect(rowsError(Object.assign(new Error("text"), fields), "commit").reason).toBe(reason);
});
