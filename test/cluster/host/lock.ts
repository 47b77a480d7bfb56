/** Locks between processes that a crash cannot leave behind: the kernel drops an flock with its holder. */
import { spawn } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { once } from "node:events";
import { Locked } from "./errors.ts";

/** Runs the work while this process, and no other, holds the lock file; `onWait` is told if another has it. */
export async function withLock<T>(
  file: string,
  seconds: number,
  work: () => Promise<T>,
  onWait: () => void = () => undefined,
): Promise<T> {
  await mkdir(dirname(file), { recursive: true });
  // Holds the lock as long as its stdin, whose other end dies with us, is open.
  const holder = spawn("flock", ["--timeout", String(seconds), file, "sh", "-c", "echo held; exec cat"], {
    stdio: ["pipe", "pipe", "inherit"],
    detached: true,
  });
  const ended = once(holder, "exit");
  const waiting = setTimeout(onWait, 2000);
  const held = await Promise.race([once(holder.stdout, "data").then(() => true), ended.then(() => false)]);
  clearTimeout(waiting);
  if (!held)
    throw new Locked(`${file} was held by another process for ${seconds} s; wait for it, or end it, and try again`);
  try {
    return await work();
  } finally {
    holder.stdin.end();
    await ended;
  }
}
