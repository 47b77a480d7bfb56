/** What the output plugin pgoutput says, in version 1 of its protocol: whole transactions, in text. */
import { ReplicationUnreadable } from "../../errors.ts";
import { type Begin, readBegin } from "./begin.ts";
import { Bytes } from "./bytes.ts";
import { type Commit, readCommit } from "./commit.ts";
import { type Delete, readDelete } from "./delete.ts";
import { type Insert, readInsert } from "./insert.ts";
import { readRelation, type Relation } from "./relation.ts";
import { readTruncate, type Truncate } from "./truncate.ts";
import { readUpdate, type Update } from "./update.ts";

export type Message = Begin | Commit | Relation | Insert | Update | Delete | Truncate;

/** @returns undefined for what tells nothing of rows: 'Y' (a type's name), 'O' (an origin), 'M' (a program's own message) */
export function readMessage(buffer: Buffer): Message | undefined {
  const bytes = new Bytes(buffer);
  const tag = bytes.tag();
  switch (tag) {
    case "B":
      return readBegin(bytes);
    case "C":
      return readCommit(bytes);
    case "R":
      return readRelation(bytes);
    case "I":
      return readInsert(bytes);
    case "U":
      return readUpdate(bytes);
    case "D":
      return readDelete(bytes);
    case "T":
      return readTruncate(bytes);
    case "Y":
    case "O":
    case "M":
      return undefined;
    default:
      throw new ReplicationUnreadable(`a replication message of kind ${tag}`);
  }
}
