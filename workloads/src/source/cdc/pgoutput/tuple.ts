import { ReplicationUnreadable } from "../../errors.ts";
import type { Bytes } from "./bytes.ts";

/** Text of each column; undefined for a large value that is kept outside of the row and was not changed. */
export type Tuple = readonly (string | null | undefined)[];

/**
 *   Tuple = number of columns (i16)  Value…
 *   Value = 'n' (NULL) | 'u' (not changed) | 't' length (u32) text
 */
export function readTuple(bytes: Bytes): Tuple {
  return Array.from({ length: bytes.int16() }, () => {
    const tag = bytes.tag();
    switch (tag) {
      case "n":
        return null;
      case "u":
        return undefined;
      case "t":
        return bytes.sized(bytes.uint32());
      default:
        throw new ReplicationUnreadable(`a column of kind ${tag} in a replication message`);
    }
  });
}
