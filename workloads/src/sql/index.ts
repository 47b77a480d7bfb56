/** SQL of a pipeline: checking it, compiling it, and computing with it. */
export { BAD_ROW_REASONS, type BadRowReason } from "./bad-rows.ts";
export { CheckFailed, checkSql, type CheckOptions } from "./check.ts";
export type { CheckedTable, CheckedTransform, CheckInput, CheckOutput } from "./check-sql.ts";
export { compileTransform, compileTransformPlan } from "./compile-transform.ts";
export { type Compiled, compile, compilePlan } from "./compile.ts";
export type * from "./plan.ts";
export type * from "./transform-plan.ts";
export { SqlError, type SqlProblem } from "./sql-error.ts";
