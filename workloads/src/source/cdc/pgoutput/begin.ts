import type { Bytes } from "./bytes.ts";

/** The changes of a transaction follow; transactions come one after the other, in the order of their commits. */
export interface Begin {
  readonly kind: "begin";
  /** Where its commit record begins. */
  readonly commit: bigint;
}

/**
 *   Begin  = 'B' LSN of the commit (u64)  time of the commit (i64, microseconds since 2000)  xid (u32)
 */
export function readBegin(bytes: Bytes): Begin {
  return { kind: "begin", commit: bytes.uint64() };
}
