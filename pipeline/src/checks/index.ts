/** What is wrong with a spec, before anything runs. */
export type { CheckInput } from "./check.ts";
export {
  boundHint,
  findingsOf,
  findSqlProblems,
  keyOf,
  questionOf,
  SQL_CPU_MS,
  type SqlAnswer,
  type SqlFindings,
  type SqlQuestion,
} from "./sql.ts";
export { beside, validate } from "./validate.ts";
export { repaired } from "./written-forms.ts";
