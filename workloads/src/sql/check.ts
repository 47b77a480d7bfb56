/** Checks SQL in another process, with bounds on its time and memory. */
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import type { CheckInput, CheckOutput } from "./check-sql.ts";

export interface CheckOptions {
  /** The program and its arguments, such as `[process.execPath, "dist/check-sql.js"]`. */
  readonly command: readonly [program: string, ...args: string[]];
  readonly timeoutMs: number;
  /** Resident memory at which the process is ended, 512 MiB without one. Only where /proc tells it (Linux). */
  readonly memoryBytes?: number;
}

/** The check could not run, which says nothing about the SQL. */
export class CheckFailed extends Error {
  readonly code = "SQL_CHECK_FAILED";
  readonly reason = "SqlCheckFailed";
  readonly retryable = true;
}

const POLL_MS = 20;
const MAX_STDERR = 2_000;

/**
 * @returns problems and tables; SQL that takes too long or too much memory is a problem of each stage's path
 * @throws CheckFailed when the process cannot be started or ends with an error
 */
export async function checkSql(input: CheckInput, options: CheckOptions): Promise<CheckOutput> {
  if (stagesOf(input).length === 0) return { problems: [], tables: [], transforms: [] };
  const outcome = await runBounded(JSON.stringify(input), options);
  switch (outcome.kind) {
    case "done":
      return JSON.parse(outcome.stdout) as CheckOutput;
    case "too long":
      return refuse(input, `it took longer than ${options.timeoutMs} ms to check`);
    case "too large":
      return refuse(input, "it took too much memory to check");
  }
}

function stagesOf({ aggregators, transforms = [] }: CheckInput): readonly { readonly path: string }[] {
  return [...aggregators, ...transforms];
}

function refuse(input: CheckInput, what: string): CheckOutput {
  const message = `SQL took too long or too much to check: ${what}; look for constants that are large to compute, such as repeat('x', 1000000000) or range(…)`;
  return { problems: stagesOf(input).map(({ path }) => ({ path, message })), tables: [], transforms: [] };
}

type Outcome = { readonly kind: "done"; readonly stdout: string } | { readonly kind: "too long" | "too large" };

async function runBounded(stdin: string, options: CheckOptions): Promise<Outcome> {
  const [program, ...args] = options.command;
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
  const limit = options.memoryBytes ?? 512 * 1024 * 1024;
  return await new Promise<Outcome>((resolve, reject) => {
    let stdout = "";
    let stderr = "";
    let ended: "too long" | "too large" | undefined;
    const end = (why: "too long" | "too large") => {
      ended ??= why;
      child.kill("SIGKILL");
    };
    const timeout = setTimeout(() => {
      end("too long");
    }, options.timeoutMs);
    const watch = setInterval(() => {
      void residentBytes(child.pid).then((bytes) => {
        if (bytes > limit) end("too large");
      });
    }, POLL_MS);
    const settle = (finish: () => void) => {
      clearTimeout(timeout);
      clearInterval(watch);
      finish();
    };
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr = (stderr + chunk).slice(-MAX_STDERR)));
    child.on("error", (error) => {
      settle(() => {
        reject(new CheckFailed(`cannot start ${program}: ${error.message}`, { cause: error }));
      });
    });
    child.on("close", (code, signal) => {
      settle(() => {
        if (ended !== undefined) resolve({ kind: ended });
        else if (code === 0) resolve({ kind: "done", stdout });
        else reject(new CheckFailed(`the SQL check ended with ${signal ?? `code ${code ?? -1}`}: ${stderr.trim()}`));
      });
    });
    // A process that ends early says so by its exit, not by our failing to write to it.
    child.stdin.on("error", () => undefined);
    child.stdin.end(stdin);
  });
}

/** 0 where it cannot be told, also when the process is gone. */
async function residentBytes(pid: number | undefined): Promise<number> {
  if (pid === undefined) return 0;
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1];
    return Number(kilobytes ?? 0) * 1024;
  } catch {
    return 0;
  }
}
