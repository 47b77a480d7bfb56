/** SQL of a pipeline in DuckDB: compiled, checked and computed. */
export { isAverage } from "./sql/aggregate.ts";
export { checkAll } from "./sql/check-all.ts";
export { compilePlan } from "./sql/compile.ts";
export { compileTransform, compileTransformPlan } from "./sql/compile-transform.ts";
export { type DuckDB, isSpent, openDuckDB } from "./sql/duckdb.ts";
export { structOf } from "./sql/event-scope.ts";
export { exactJson, readLambdaFunctions } from "./sql/exact-json.ts";
export { type Node, parseTree } from "./sql/syntax.ts";
