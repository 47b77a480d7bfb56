/** SQL of a pipeline, as data: plans, problems, and the check in a process of its own. Nothing here loads DuckDB. */
export { BAD_ROW_REASONS, type BadRowReason, finding, type Finding, NO_TIME } from "./bad-rows.ts";
export { CheckFailed, CheckLimited, checkSql } from "./check.ts";
export { duckdbTypeOf, isFieldType } from "./fields.ts";
export type {
  AggregateColumn,
  AggregatorPlan,
  BadRow,
  BlockResult,
  GroupColumn,
  Merge,
  Part,
  PartFunction,
  TablePlan,
} from "./plan.ts";
export { fieldSpellings, fieldSql, quote, text } from "./quote.ts";
export { SqlError, structured } from "./sql-error.ts";
export type { Direct, LookupPlan, ProjectedColumn, TransformPlan } from "./transform-plan.ts";
export { isText, isTime, mayBeInfinite } from "./types.ts";
