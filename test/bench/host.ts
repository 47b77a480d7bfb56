/** What the results were measured on, in a sentence. */
import { availableParallelism, cpus, release, totalmem } from "node:os";
import { run } from "../cluster/host/run.ts";
import type { Servers } from "./servers.ts";

/** @param today the date to show */
export async function describeHost({ postgres }: Servers, today: Date): Promise<string> {
  const model = cpus()[0]?.model.trim() ?? "unknown processor";
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  const java = /version "([^"]+)"/.exec(await run("sh", ["-c", "java -version 2>&1"]))?.[1] ?? "unknown";
  const [version] = await (
    await postgres.database("postgres")
  ).query<{ server_version: string }>("show server_version");
  const day = today.toISOString().slice(0, 10);
  return (
    `Measured on ${day}: ${availableParallelism()} cores (${model}), ${gigabytes} GB of memory, Linux ${release().split("-")[0]}; ` +
    `Node ${process.versions.node}, Java ${java}, Apache Kafka 4.3.1, PostgreSQL ${version?.server_version ?? "unknown"}.`
  );
}
