/** Rows of a batch as a file with a JSON object a line. */
import { writeFile } from "node:fs/promises";
import type { OutputBatch } from "../output.ts";
import type { WriteFile } from "./write-file.ts";

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;

export const jsonLinesWriter: WriteFile = {
  extension: "jsonl",
  wants: "json",
  async write(file, { json }: OutputBatch, rows) {
    const lines = rows.map((row) => line(json?.bytes.subarray(json.starts[row], json.ends[row]) ?? Buffer.alloc(0)));
    await writeFile(file, Buffer.concat(lines));
  },
  close: () => undefined,
};

/** Breaks between tokens, which an event's own bytes may have, become spaces: text of JSON has none. */
function line(value: Buffer): Buffer {
  const copy = Buffer.allocUnsafe(value.length + 1);
  value.copy(copy);
  for (let i = 0; i < value.length; i++) if (copy[i] === LF || copy[i] === CR) copy[i] = SPACE;
  copy[value.length] = LF;
  return copy;
}
