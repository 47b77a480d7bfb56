/** What processes have used, from /proc (proc_pid_stat(5), proc_pid_status(5)). */
import { readdirSync, readFileSync } from "node:fs";
import { execFileSync } from "node:child_process";

interface Stat {
  readonly parent: number;
  /** Clock ticks in user and kernel mode, of the process and of its children that have ended. */
  readonly ticks: number;
}

let ticksPerSecond: number | undefined;

/** The fields after the name, which may itself hold spaces and brackets. */
export function parseStat(text: string): Stat {
  const fields = text
    .slice(text.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number);
  const [, parent = 0] = fields;
  return { parent, ticks: fields.slice(11, 15).reduce((sum, value) => sum + value, 0) };
}

function stat(pid: number): Stat | undefined {
  return ifThere(() => parseStat(readFileSync(`/proc/${pid}/stat`, "utf8")));
}

/** CPU-seconds of a process and all below it so far, those that have ended included; 0 when it is gone. */
export function cpuSeconds(root: number): number {
  ticksPerSecond ??= Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));
  return tree(root).reduce((sum, { ticks }) => sum + ticks, 0) / ticksPerSecond;
}

/** Most memory that a process of the tree has held so far, in MB (VmHWM): each engine is one process. */
export function peakMb(root: number): number {
  const peaks = tree(root).map(({ pid }) => {
    const status = ifThere(() => readFileSync(`/proc/${pid}/status`, "utf8")) ?? "";
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
  });
  return Math.max(0, ...peaks) / 1024;
}

function tree(root: number): (Stat & { readonly pid: number })[] {
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const found = stat(Number(name));
      return found === undefined ? [] : [{ pid: Number(name), ...found }];
    });
  const children = Map.groupBy(all, ({ parent }) => parent);
  const found = all.filter(({ pid }) => pid === root);
  for (const one of found) found.push(...(children.get(one.pid) ?? []));
  return found;
}

/** A process may end between its listing and its reading. */
function ifThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ESRCH") return undefined;
    throw error;
  }
}
