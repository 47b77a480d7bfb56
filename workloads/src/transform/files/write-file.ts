import type { OutputBatch } from "../output.ts";

/** Writes one form of file. */
export interface WriteFile {
  readonly extension: "parquet" | "jsonl";
  /** What of a batch it reads. */
  readonly wants: "columns" | "json";
  /** @param rows of the batch that the file gets, in its order */
  write(file: string, batch: OutputBatch, rows: readonly number[]): Promise<void>;
  close(): void;
}
