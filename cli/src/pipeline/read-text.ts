/** A file, or standard input, as text. */
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { FileInvalid } from "../errors.ts";

/** @param file path; `-` is standard input @throws FileInvalid */
export async function readText(file: string): Promise<string> {
  try {
    return file === "-" ? await text(process.stdin) : await readFile(file, "utf8");
  } catch (error) {
    throw new FileInvalid(`cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}
