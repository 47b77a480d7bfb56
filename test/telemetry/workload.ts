/** A workload as a child process, run from its sources as the image runs its bundle. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { WorkloadConfig } from "@caudal/crds";
import { programFile } from "../bundle.ts";

export interface Workload {
  /** SIGTERM, and the exit code; what it said is the error when that is not 0. */
  stop(): Promise<void>;
  /** What it has logged. */
  log(): string;
}

/** @param folder where the configuration is written */
export async function startWorkload(
  config: WorkloadConfig,
  folder: string,
  env: Readonly<Record<string, string>>,
): Promise<Workload> {
  const { name, role } = config.stage;
  const file = join(folder, `${name}.json`);
  await writeFile(file, JSON.stringify(config));
  const { OTEL_EXPORTER_OTLP_ENDPOINT: _, ...inherited } = process.env;
  const child = spawn(process.execPath, [programFile("main"), role, "--config", file], {
    env: { ...inherited, CAUDAL_HTTP_PORT: "0", LOG_LEVEL: "debug", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const withUs = (): void => void child.kill("SIGKILL");
  process.once("exit", withUs);
  const exited = once(child, "exit") as Promise<[number | null]>;
  void exited.then(() => process.off("exit", withUs));
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      said = (said + chunk).slice(-50_000);
    });
  return {
    log: () => said,
    stop: async () => {
      child.kill("SIGTERM");
      const [code] = await exited;
      if (code !== 0) throw new Error(`${role} ended with ${code}:\n${said.slice(-4000)}`);
    },
  };
}
