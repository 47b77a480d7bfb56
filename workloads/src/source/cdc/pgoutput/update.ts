import type { Bytes } from "./bytes.ts";
import { readTuple, type Tuple } from "./tuple.ts";

export interface Update {
  readonly kind: "update";
  readonly oid: number;
  /** The row before: its key alone, where that has changed, or all of it under REPLICA IDENTITY FULL. */
  readonly before: Tuple | undefined;
  /** Whether `before` is the whole row. */
  readonly full: boolean;
  readonly row: Tuple;
}

/**
 *   Update = 'U' oid (u32)  [ 'K' Tuple (the old key) | 'O' Tuple (the old row) ]  'N' Tuple
 */
export function readUpdate(bytes: Bytes): Update {
  const oid = bytes.uint32();
  const tag = bytes.tag();
  if (tag === "N") return { kind: "update", oid, before: undefined, full: false, row: readTuple(bytes) };
  const before = readTuple(bytes);
  bytes.tag();
  return { kind: "update", oid, before, full: tag === "O", row: readTuple(bytes) };
}
