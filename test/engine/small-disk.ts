/** A disk of a few hundred MiB (tmpfs) that can be filled to its last byte. */
import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";
import { HostUnfit } from "../cluster/host/errors.ts";
import { run } from "../cluster/host/run.ts";

export interface SmallDisk {
  /** Takes all that is free. */
  fill(): void;
  /** Gives it back. */
  free(): void;
  /** How often the server has said that no space was left. */
  readonly refusals: number;
  /** Told what the server logs. */
  heard(text: string): void;
  unmount(): Promise<void>;
}

const BALLAST = ".ballast";
const CHUNK = Buffer.alloc(64 * 1024);

/** @param owner whose the folder is */
export async function mountSmallDisk(
  folder: string,
  sizeMiB: number,
  owner: { readonly uid: number; readonly gid: number } | undefined,
): Promise<SmallDisk> {
  if (process.getuid?.() !== 0 || owner === undefined)
    throw new HostUnfit("a disk that can be full is a tmpfs, which only root may mount: run this as root");
  mkdirSync(folder);
  const options = `size=${sizeMiB}m,uid=${owner.uid},gid=${owner.gid},mode=0700`;
  await run("mount", ["-t", "tmpfs", "-o", options, "caudal-test", folder]);
  // Lazily: what still runs on it then ends with this process too.
  const withUs = (): void => void spawnSync("umount", ["--lazy", folder]);
  process.once("exit", withUs);
  const ballast = join(folder, BALLAST);
  let refusals = 0;
  return {
    fill: () => {
      const file = openSync(ballast, "a");
      try {
        while (statfsSync(folder).bavail > 0) writeSync(file, CHUNK);
      } catch (error) {
        if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
      } finally {
        closeSync(file);
      }
    },
    free: () => rmSync(ballast, { force: true }),
    get refusals() {
      return refusals;
    },
    heard: (text) => (refusals += text.split("No space left on device").length - 1),
    unmount: async () => {
      process.off("exit", withUs);
      await run("umount", [folder]);
    },
  };
}
