import type { Result } from "../output/result.ts";

/** What a stage keeps somewhere, as rows to show. */
export interface Shown {
  readonly kind: "table" | "redis" | "files";
  /** Of the table, or of the stage and its output. */
  readonly name: string;
  readonly result: Result;
}
