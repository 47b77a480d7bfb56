/** The program that a person reads long results with. */
import { spawn } from "node:child_process";
import type { Terminal } from "./printer.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** @returns the command, as psql chooses it; undefined where the person wants none */
export function pagerCommand(env: Environment): string | undefined {
  const command = env["PSQL_PAGER"] ?? env["PAGER"] ?? "less";
  return command.trim() === "" ? undefined : command;
}

/** Of `less` without options of the person's own: leaves what is short on the screen, and does not fold what is wide. */
const LESS = "FRSX";
/** What a shell says of a command that it does not find, or may not run. */
const NOT_RUN = new Set([126, 127]);

/**
 * Gives the text to the pager, and waits until the person has left it.
 *
 * @returns false where it could not be run
 */
export async function page(text: string, env: Environment): Promise<boolean> {
  const command = pagerCommand(env);
  if (command === undefined) return false;
  // Ctrl-C is the pager's while it runs.
  const ignore = (): void => undefined;
  process.on("SIGINT", ignore);
  try {
    return await new Promise<boolean>((resolve) => {
      const child = spawn("sh", ["-c", command], {
        stdio: ["pipe", "inherit", "inherit"],
        env: { LESS, ...env },
      });
      child.once("error", () => resolve(false));
      child.once("close", (code) => resolve(!NOT_RUN.has(code ?? 0)));
      // Whoever leaves it early has read enough.
      child.stdin?.once("error", ignore);
      child.stdin?.end(text);
    });
  } finally {
    process.off("SIGINT", ignore);
  }
}

/** The terminal of this process; undefined where results, or statements, go elsewhere. */
export function openTerminal(
  input: NodeJS.ReadStream,
  output: NodeJS.WriteStream,
  env: Environment,
): Terminal | undefined {
  if (!output.isTTY || !input.isTTY) return undefined;
  return {
    size: () => ({ rows: output.rows || Infinity, columns: output.columns || Infinity }),
    page: async (text) => {
      // A prompt that reads keys would take them from the pager.
      const { isRaw } = input;
      const wasPaused = input.isPaused();
      input.pause();
      if (isRaw) input.setRawMode(false);
      try {
        return await page(text, env);
      } finally {
        if (isRaw) input.setRawMode(true);
        if (!wasPaused) input.resume();
      }
    },
  };
}
