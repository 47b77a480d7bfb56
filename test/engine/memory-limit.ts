/** A limit of memory for one process and its children, as a pod's container has it: a cgroup of either version. */
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { HostUnfit } from "../cluster/host/errors.ts";

export interface MemoryLimit {
  /** Put before a command, starts it within the limit. */
  readonly command: readonly string[];
  /** Removes the limit; its processes have ended. */
  remove(): void;
}

const mountPoint = "/sys/fs/cgroup";

export function limitMemory(name: string, bytes: number): MemoryLimit {
  const unified = existsSync(join(mountPoint, "cgroup.controllers"));
  const folder = join(unified ? mountPoint : join(mountPoint, "memory"), `caudal-test-${name}-${process.pid}`);
  const limit = unified ? "memory.max" : "memory.limit_in_bytes";
  try {
    if (unified) writeFileSync(join(mountPoint, "cgroup.subtree_control"), "+memory");
    mkdirSync(folder);
    writeFileSync(join(folder, limit), String(bytes));
  } catch (error) {
    throw new HostUnfit(
      `a limit of memory is a cgroup below ${mountPoint}, which only root may make: run this as root`,
      {
        cause: error,
      },
    );
  }
  return {
    command: ["sh", "-c", `echo $$ > ${join(folder, "cgroup.procs")} && exec "$@"`, "sh"],
    remove: () => rmdirSync(folder),
  };
}
