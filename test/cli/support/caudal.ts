/** The program as people start it. */
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { programFile } from "../../bundle.ts";
import { repository } from "../../cluster/host/paths.ts";

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** @param args relative paths are from the repository's root */
export async function caudal(
  args: readonly string[],
  input = "",
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const child = spawn(process.execPath, [programFile("caudal"), ...args], {
    cwd: repository,
    env: { ...process.env, ...env },
  });
  child.stdin.end(input);
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, stdout, stderr };
}
