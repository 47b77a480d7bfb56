/** A bound on what this process allocates, from the limit of its container. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { totalmem } from "node:os";
import { promisify } from "node:util";
import { describeError } from "./errors.ts";
import type { Logger } from "./log.ts";

/** A machine that starts a cluster is busy. */
const TIMEOUT_MS = 60_000;

/**
 * Lets allocations fail that would go beyond the container's limit of memory: DuckDB makes an error of it, which costs one
 * event, where the kernel would end the process. Does nothing where there is no limit.
 */
export async function boundAllocations(log: Logger): Promise<void> {
  const limit = process.constrainedMemory();
  if (!(limit > 0 && limit < totalmem())) return;
  try {
    const bytes = limit + untouchedBytes(readFileSync("/proc/self/status", "utf8"));
    // The soft limit alone: this process's next life in its place sets its own, which may be higher.
    await promisify(execFile)("prlimit", ["--pid", String(process.pid), `--data=${bytes}:`], { timeout: TIMEOUT_MS });
  } catch (error) {
    log.warn(
      { error: describeError(error) },
      "allocations have no bound: an expression that takes more memory than the container has ends the process",
    );
  }
}

/** What is set aside and not used, such as the stacks of threads: the kernel counts it as allocated. */
function untouchedBytes(status: string): number {
  const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0);
  return 1024 * (kilobytes("VmData") - kilobytes("RssAnon"));
}
