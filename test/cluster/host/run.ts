/** Runs other programs: output is kept and shown when they fail. */
import { spawn } from "node:child_process";
import { CommandFailed, ToolMissing } from "./errors.ts";

export interface RunOptions {
  readonly cwd?: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** Sees the output as it comes, line by line. */
  readonly onLine?: (line: string) => void;
  readonly signal?: AbortSignal;
}

/** What a program wrote to stdout; rejects with {@link CommandFailed} that carries all its output. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  return await new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ["pipe", "pipe", "pipe"],
      signal: options.signal,
    });
    let stdout = "";
    let all = "";
    let partial = "";
    const take = (chunk: string): void => {
      all += chunk;
      if (options.onLine === undefined) return;
      const lines = (partial + chunk).split("\n");
      partial = lines.pop() ?? "";
      lines.forEach(options.onLine);
    };
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      stdout += chunk;
      take(chunk);
    });
    child.stderr.setEncoding("utf8").on("data", take);
    // A program may end without reading its input; its exit code tells what matters.
    child.stdin.on("error", () => undefined).end(options.input ?? "");
    child.on("error", (error: NodeJS.ErrnoException) => {
      reject(error.code === "ENOENT" ? new ToolMissing(`${command} is not installed or not in PATH`) : error);
    });
    child.on("close", (code) => {
      if (code === 0) resolve(stdout);
      else reject(new CommandFailed([command, ...args].join(" "), code, all));
    });
  });
}

/** Whether the command ends well; for questions whose "no" is an ordinary answer. */
export async function succeeds(command: string, args: readonly string[], options: RunOptions = {}): Promise<boolean> {
  try {
    await run(command, args, options);
    return true;
  } catch (error) {
    if (error instanceof CommandFailed || error instanceof ToolMissing) return false;
    throw error;
  }
}
