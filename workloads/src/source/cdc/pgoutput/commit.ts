import type { Bytes } from "./bytes.ts";

export interface Commit {
  readonly kind: "commit";
  /** Behind its commit record: what is committed later begins here or behind. */
  readonly end: bigint;
}

/**
 *   Commit = 'C' flags (u8)  LSN of the commit (u64)  LSN behind it (u64)  time (i64)
 */
export function readCommit(bytes: Bytes): Commit {
  bytes.int8();
  bytes.uint64();
  return { kind: "commit", end: bytes.uint64() };
}
