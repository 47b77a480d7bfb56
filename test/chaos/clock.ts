/** A clock of a process that can be set while it runs, by libfaketime (Debian's package of that name). */
import { existsSync, globSync, writeFileSync } from "node:fs";
import type { WorkerOptions } from "../engine/aggregator/stage.ts";
import { ToolMissing } from "../cluster/host/errors.ts";

/** Environment in which a process reads its clock's error from the file. Only the time of day is wrong, as on a host. */
export function clockEnvironment(file: string): WorkerOptions {
  const [library] = globSync("/usr/lib/*/faketime/libfaketimeMT.so.1");
  if (library === undefined || !existsSync(library))
    throw new ToolMissing("a clock that jumps needs libfaketime (Debian: faketime)");
  return {
    env: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_CACHE_DURATION: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      FAKETIME_DONT_RESET: "1",
    },
  };
}

/** @param seconds by which the clock is ahead, or behind */
export function setClock(file: string, seconds: number): void {
  writeFileSync(file, `${seconds < 0 ? "" : "+"}${seconds}`);
}
