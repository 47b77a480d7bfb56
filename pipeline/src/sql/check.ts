/** Checks SQL in another process, with bounds on its time and memory. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { CheckInput, CheckOutput } from "./check-all.ts";

export interface CheckOptions {
  /** The program and its arguments; by default the one beside this file. */
  readonly command?: readonly [program: string, ...args: string[]];
  /** Processor time at which the process is ended. */
  readonly cpuMs: number;
  /** Time on the clock at which it is ended: it stands still, or the machine does. Ten times {@link cpuMs} without one. */
  readonly timeoutMs?: number;
  /** Resident memory at which the process is ended, 256 MiB without one. Only where /proc tells it (Linux). */
  readonly memoryBytes?: number;
  /** Ends the check. */
  readonly signal?: AbortSignal;
}

/** The check could not run, which says nothing about the SQL. */
export class CheckFailed extends Error {
  readonly code: string = "SQL_CHECK_FAILED";
  readonly reason: string = "SqlCheckFailed";
  readonly retryable = true;
}

/** The check was ended at one of its bounds, which says nothing about the SQL either: the machine may have been busy. */
export class CheckLimited extends CheckFailed {
  override readonly code = "SQL_CHECK_LIMITED";
  override readonly reason = "SqlCheckLimited";
}

const POLL_MS = 20;
const MAX_STDERR = 2_000;
const MIB = 1024 * 1024;
/** What Linux counts processor time in, on every architecture that Node runs on: USER_HZ. */
const TICK_MS = 10;

/**
 * @returns problems and tables
 * @throws CheckLimited when it takes too much time or memory
 * @throws CheckFailed when the process cannot be started or ends with an error
 */
export async function checkSql(input: CheckInput, options: CheckOptions): Promise<CheckOutput> {
  if (input.aggregators.length + (input.transforms ?? []).length === 0)
    return { problems: [], tables: [], transforms: [] };
  return JSON.parse(await runBounded(JSON.stringify(input), options)) as CheckOutput;
}

async function runBounded(stdin: string, options: CheckOptions): Promise<string> {
  const { command = ownCommand(), cpuMs, timeoutMs = 10 * cpuMs, memoryBytes = 256 * MIB, signal } = options;
  const [program, ...args] = command;
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
  return await new Promise<string>((resolve, reject) => {
    let stdout = "";
    let stderr = "";
    let ended: Error | undefined;
    const end = (why: Error) => {
      ended ??= why;
      child.kill("SIGKILL");
    };
    const limited = (what: string) => {
      end(new CheckLimited(`it was ended because it ${what}`));
    };
    const timeout = setTimeout(() => {
      limited(`was not done after ${timeoutMs / 1000} s`);
    }, timeoutMs);
    const watch = setInterval(() => {
      void usageOf(child.pid).then((usage) => {
        if (usage.memoryBytes > memoryBytes) limited(`took more than ${Math.floor(memoryBytes / MIB)} MiB of memory`);
        if (usage.cpuMs > cpuMs) limited(`took more than ${cpuMs / 1000} s of a processor`);
      });
    }, POLL_MS);
    const abort = () => {
      end(new CheckFailed("it was called off"));
    };
    signal?.addEventListener("abort", abort, { once: true });
    const settle = (finish: () => void) => {
      clearTimeout(timeout);
      clearInterval(watch);
      signal?.removeEventListener("abort", abort);
      finish();
    };
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr = (stderr + chunk).slice(-MAX_STDERR)));
    child.on("error", (error) => {
      settle(() => {
        reject(new CheckFailed(`cannot start ${program}: ${error.message}`, { cause: error }));
      });
    });
    child.on("close", (code, by) => {
      settle(() => {
        if (ended !== undefined) reject(ended);
        else if (code === 0) resolve(stdout);
        else reject(new CheckFailed(`the SQL check ended with ${by ?? `code ${code ?? -1}`}: ${stderr.trim()}`));
      });
    });
    // A process that ends early says so by its exit, not by our failing to write to it.
    child.stdin.on("error", () => undefined);
    child.stdin.end(stdin);
    if (signal?.aborted === true) abort();
  });
}

/** Beside the bundle in an image; the source in a checkout. */
function ownCommand(): readonly [program: string, ...args: string[]] {
  const bundled = join(import.meta.dirname, "check-sql.js");
  const source = join(import.meta.dirname, "check-sql.ts");
  return [process.execPath, "--max-old-space-size=128", existsSync(bundled) ? bundled : source];
}

interface Usage {
  readonly cpuMs: number;
  readonly memoryBytes: number;
}

/** What a process has used; nothing where it cannot be told, also when the process is gone. */
async function usageOf(pid: number | undefined): Promise<Usage> {
  if (pid === undefined) return { cpuMs: 0, memoryBytes: 0 };
  try {
    const [status, stat] = await Promise.all([
      readFile(`/proc/${pid}/status`, "utf8"),
      readFile(`/proc/${pid}/stat`, "utf8"),
    ]);
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
    // Behind the name, which is in parentheses, utime and stime are the 12th and 13th (proc(5)).
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return {
      cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS,
      memoryBytes: Number(kilobytes ?? 0) * 1024,
    };
  } catch {
    return { cpuMs: 0, memoryBytes: 0 };
  }
}
