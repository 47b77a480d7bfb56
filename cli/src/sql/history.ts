/** Statements of earlier prompts, in a file that only its owner reads. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

export const MAX_HISTORY = 1000;

export function historyFile(env: Readonly<Record<string, string | undefined>>): string {
  return join(env["XDG_STATE_HOME"] ?? join(homedir(), ".local/state"), "caudal/history");
}

/** @returns latest first, as node:readline keeps them; none where there is no file yet */
export async function readHistory(file: string): Promise<string[]> {
  try {
    return (await readFile(file, "utf8"))
      .split("\n")
      .filter((line) => line !== "")
      .reverse();
  } catch {
    return []; // a prompt without history is a prompt all the same
  }
}

/** @param history latest first @returns what went wrong, in words */
export async function writeHistory(file: string, history: readonly string[]): Promise<string | undefined> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await writeFile(file, `${history.slice(0, MAX_HISTORY).toReversed().join("\n")}\n`, { mode: 0o600 });
    return undefined;
  } catch (error) {
    return `the history could not be written to ${file}: ${error instanceof Error ? error.message : String(error)}`;
  }
}
