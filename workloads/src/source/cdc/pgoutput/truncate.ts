import type { Bytes } from "./bytes.ts";

export interface Truncate {
  readonly kind: "truncate";
  readonly oids: readonly number[];
}

/**
 *   Truncate = 'T' number of tables (u32)  options (u8: 1 cascade, 2 restart identity)  oid (u32)…
 */
export function readTruncate(bytes: Bytes): Truncate {
  const tables = bytes.uint32();
  bytes.int8();
  return { kind: "truncate", oids: Array.from({ length: tables }, () => bytes.uint32()) };
}
