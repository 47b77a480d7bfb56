import { expect, test } from "vitest";
import { formatLsn, parseLsn } from "../lsn.ts";
import { readMessage } from "./message.ts";

/** Bytes of letters, numbers by their size in bytes, and texts. */
function bytes(...parts: readonly (string | readonly [size: 1 | 2 | 4 | 8, value: number])[]): Buffer {
  return Buffer.concat(
    parts.map((part) => {
      if (typeof part === "string") return Buffer.from(part);
      const number = Buffer.alloc(8);
      number.writeBigUInt64BE(BigInt(part[1]));
      return number.subarray(8 - part[0]);
    }),
  );
}

const text = (value: string) => ["t", [4, Buffer.byteLength(value)], value] as const;

test.each([
  ["begin", bytes("B", [8, 0x1234], [8, 1], [4, 7]), { kind: "begin", commit: 0x1234n }],
  ["commit", bytes("C", [1, 0], [8, 0x1234], [8, 0x1300], [8, 1]), { kind: "commit", end: 0x1300n }],
  [
    "relation",
    bytes("R", [4, 4_000_000_000], "public\0", "t\0", "f", [2, 1], [1, 1], "id\0", [4, 23], [4, 0xffffffff]),
    {
      kind: "relation",
      oid: 4_000_000_000,
      replicaIdentity: "f",
      columns: [{ name: "id", typeOid: 23, ofIdentity: true }],
    },
  ],
  [
    "insert",
    bytes("I", [4, 9], "N", [2, 3], ...text("é"), "n", ...text("")),
    { kind: "insert", oid: 9, row: ["é", null, ""] },
  ],
  [
    "update that leaves the key",
    bytes("U", [4, 9], "N", [2, 2], ...text("1"), "u"),
    { kind: "update", oid: 9, before: undefined, full: false, row: ["1", undefined] },
  ],
  [
    "update of the key",
    bytes("U", [4, 9], "K", [2, 1], ...text("1"), "N", [2, 1], ...text("2")),
    { kind: "update", oid: 9, before: ["1"], full: false, row: ["2"] },
  ],
  [
    "update with the whole row before",
    bytes("U", [4, 9], "O", [2, 1], ...text("1"), "N", [2, 1], ...text("1")),
    { kind: "update", oid: 9, before: ["1"], full: true, row: ["1"] },
  ],
  ["delete", bytes("D", [4, 9], "K", [2, 2], ...text("1"), "n"), { kind: "delete", oid: 9, before: ["1", null] }],
  ["truncate", bytes("T", [4, 2], [1, 1], [4, 9], [4, 10]), { kind: "truncate", oids: [9, 10] }],
  ["type", bytes("Y", [4, 9], "public\0", "mood\0"), undefined],
])("reads a %s", (_kind, message, expected) => {
  expect(readMessage(message)).toEqual(expected);
});

test("a message that is cut off, or of an unknown kind, is never guessed", () => {
  expect(() => readMessage(bytes("I", [4, 9], "N", [2, 1], "t", [4, 10], "short"))).toThrow("cut off");
  expect(() => readMessage(bytes("?"))).toThrow("of kind ?");
});

test.each(["0/0", "16/B374D848", "FFFFFFFF/FFFFFFFF"])("%s is read and written as PostgreSQL does", (lsn) => {
  expect(formatLsn(parseLsn(lsn))).toBe(lsn);
});
