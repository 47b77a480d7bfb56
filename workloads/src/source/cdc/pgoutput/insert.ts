import type { Bytes } from "./bytes.ts";
import { readTuple, type Tuple } from "./tuple.ts";

export interface Insert {
  readonly kind: "insert";
  readonly oid: number;
  readonly row: Tuple;
}

/**
 *   Insert = 'I' oid (u32)  'N' Tuple
 */
export function readInsert(bytes: Bytes): Insert {
  const oid = bytes.uint32();
  bytes.tag();
  return { kind: "insert", oid, row: readTuple(bytes) };
}
