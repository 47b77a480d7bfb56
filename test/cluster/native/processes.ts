/** Finds the node's processes by what they are, so that nothing depends on a file that a crash may have left wrong. */
import { readdirSync, readFileSync } from "node:fs";

export interface NodeProcess {
  readonly pid: number;
  /** Its PIDs from the outermost PID namespace to its own. */
  readonly pids: readonly number[];
  readonly commandLine: readonly string[];
}

/** Every process of the host, without those that end while we look. */
export function allProcesses(): readonly NodeProcess[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const commandLine = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0").slice(0, -1);
        const status = readFileSync(`/proc/${name}/status`, "utf8");
        const pids = (/^NSpid:\s+(.*)$/m.exec(status)?.[1] ?? "").split(/\s+/).map(Number);
        return [{ pid: Number(name), pids, commandLine }];
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code;
        if (code === "ENOENT" || code === "ESRCH") return [];
        throw error;
      }
    });
}

/** Those that were started for the settings file of a node: the first process of its PID namespace comes first. */
export function nodeProcesses(settingsFile: string, processes: readonly NodeProcess[]): readonly NodeProcess[] {
  const isFirst = (process: NodeProcess): boolean => process.pids.length > 1 && process.pids.at(-1) === 1;
  return processes
    .filter((process) => process.commandLine.at(-1) === settingsFile)
    .sort((one, other) => Number(isFirst(other)) - Number(isFirst(one)));
}

/** The first process of the node's PID namespace, if it runs. */
export function firstProcess(settingsFile: string): NodeProcess | undefined {
  const [first] = nodeProcesses(settingsFile, allProcesses());
  return first?.pids.at(-1) === 1 && first.pids.length > 1 ? first : undefined;
}
