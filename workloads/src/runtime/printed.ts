/** What the runtime and libraries would print beside the log: one form of logs holds for it too. */
import { format } from "node:util";
import type { Logger } from "./log.ts";

const methods = ["log", "info", "warn", "error", "debug"] as const;

/**
 * Tells warnings of Node, and what libraries write to the console, in the log: they are about the program and not about
 * what it does, so that they are information.
 *
 * @returns puts it back as it was
 */
export function logWhatIsPrinted(log: Logger): () => void {
  const printers = process.listeners("warning");
  const before = Object.fromEntries(methods.map((method) => [method, console[method]]));
  const tell = ({ name, message }: Error): void => log.info({ warning: name }, message);
  process.removeAllListeners("warning");
  process.on("warning", tell);
  for (const method of methods)
    console[method] = (...texts: unknown[]) => log.info({ printed: method }, format(...texts));
  return () => {
    process.off("warning", tell);
    for (const printer of printers) process.on("warning", printer);
    Object.assign(console, before);
  };
}
