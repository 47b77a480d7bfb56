import type { Bytes } from "./bytes.ts";

/** A table as it was when the changes that follow were made; sent before the first of them, and again when it changes. */
export interface Relation {
  readonly kind: "relation";
  readonly oid: number;
  readonly replicaIdentity: string;
  readonly columns: readonly { readonly name: string; readonly typeOid: number; readonly ofIdentity: boolean }[];
}

/**
 *   Relation = 'R' oid (u32)  schema (text)  name (text)  replica identity (u8: d n f i)  number of columns (i16)  Column…
 *   Column   = flags (u8: 1 of the replica identity)  name (text)  type (u32)  type modifier (i32)
 */
export function readRelation(bytes: Bytes): Relation {
  const oid = bytes.uint32();
  bytes.text();
  bytes.text();
  const replicaIdentity = bytes.tag();
  const columns = Array.from({ length: bytes.int16() }, () => {
    const ofIdentity = (bytes.int8() & 1) === 1;
    const column = { name: bytes.text(), typeOid: bytes.uint32(), ofIdentity };
    bytes.uint32();
    return column;
  });
  return { kind: "relation", oid, replicaIdentity, columns };
}
