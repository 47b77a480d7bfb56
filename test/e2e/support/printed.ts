/** Commands that a page prints, run as a reader runs them: by a shell, at the root of the repository. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { kubeconfig } from "./kube.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const env = {
  ...process.env,
  KUBECONFIG: kubeconfig,
  PATH: `${join(root, ".cluster", "bin")}:${process.env["PATH"] ?? ""}`,
};

/** Each command of the page's shell blocks; one that ends in a backslash goes on in the next line. */
export function commandsIn(page: string): string[] {
  return [...page.matchAll(/```sh\n([\s\S]*?)```/g)]
    .flatMap(([, block = ""]) => block.replaceAll("\\\n", "").split("\n"))
    .filter((line) => line.trim() !== "");
}

/** @returns what it printed on standard output @throws when it fails, with what it printed */
export async function runPrinted(command: string, timeoutMs = 180_000): Promise<string> {
  const options = { cwd: root, env, timeout: timeoutMs, maxBuffer: 64 * 1024 * 1024 };
  return (await promisify(execFile)("bash", ["-euo", "pipefail", "-c", command], options)).stdout;
}

/** The commands of one page, each of which some test has to run. */
export class PrintedPage {
  readonly #left: Set<string>;

  constructor(page: string) {
    this.#left = new Set(commandsIn(page));
  }

  /** Commands that nobody has run yet. */
  get left(): readonly string[] {
    return [...this.#left];
  }

  /** Runs the first command that is left and has this part. */
  async run(part: string, timeoutMs?: number): Promise<string> {
    const command = this.left.find((one) => one.includes(part));
    if (command === undefined) throw new TypeError(`no command with "${part}" is left on the page`);
    const printed = await runPrinted(command, timeoutMs);
    this.#left.delete(command);
    return printed;
  }
}
