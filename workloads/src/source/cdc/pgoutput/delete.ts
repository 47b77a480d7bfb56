import type { Bytes } from "./bytes.ts";
import { readTuple, type Tuple } from "./tuple.ts";

export interface Delete {
  readonly kind: "delete";
  readonly oid: number;
  /** The key with NULL in the other columns, or the whole row under REPLICA IDENTITY FULL. */
  readonly before: Tuple;
}

/**
 *   Delete = 'D' oid (u32)  ( 'K' Tuple (the key) | 'O' Tuple (the row) )
 */
export function readDelete(bytes: Bytes): Delete {
  const oid = bytes.uint32();
  bytes.tag();
  return { kind: "delete", oid, before: readTuple(bytes) };
}
