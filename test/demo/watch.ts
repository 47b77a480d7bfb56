/** The tables filling, on a terminal: drawn anew every two seconds until Ctrl-C. */
import { setTimeout as sleep } from "node:timers/promises";
import { CommandFailed } from "../cluster/host/errors.ts";
import { type Example } from "./example.ts";
import { formatTable, readTables } from "./tables.ts";

const clear = "\x1b[H\x1b[2J";

async function frame(example: Example, height: number): Promise<string> {
  const views = example.tables.length + example.queries.length;
  const rows = Math.max(2, Math.floor((height - 4) / views) - 4);
  const tables = await readTables(example, rows);
  const time = new Date().toISOString().slice(11, 19);
  return `${time}  ${example.pipeline}, newest rows first (Ctrl-C ends this view; the cluster stays)\n\n${tables
    .map(formatTable)
    .join("\n\n")}\n`;
}

/** Ends when the signal is aborted. */
export async function watchTables(example: Example, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      process.stdout.write(clear + (await frame(example, process.stdout.rows)));
    } catch (error) {
      if (!(error instanceof CommandFailed)) throw error;
      process.stdout.write(`\n${error.output.trim()}\n`);
    }
    await sleep(2000, undefined, { signal }).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}
