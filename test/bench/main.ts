/** `npm run bench`: see {@link help}. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClusterError, UsageError } from "../cluster/host/errors.ts";
import { type Progress, progressTo } from "../cluster/host/progress.ts";
import { type Cleanup, cleanUpOnSignals, newCleanup } from "./cleanup.ts";
import { credentials } from "./database.ts";
import { writeDocs } from "./documents.ts";
import { help, type Options, parseOptions } from "./options.ts";
import { measure, writeResults } from "./measurements.ts";
import type { Bench } from "./running.ts";
import { startServers } from "./servers.ts";
import { connectTopics } from "./topics.ts";

async function main(options: Options, progress: Progress, cleanup: Cleanup): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "caudal-bench-"));
  cleanup.add(async () => await rm(folder, { recursive: true, force: true }));
  const measurement = await measure(options, progress);
  const bench = await openBench(options, folder, progress, cleanup);
  const { results, table, chart, wrong } = await measurement(bench);
  console.log(`\n${table}`);
  await writeResults(options, results);
  if (options.docs) await writeDocs(bench, options.measure, table, chart);
  if (options.keep) await keepUntilInterrupted(bench, progress);
  for (const line of wrong) console.error(line);
  return wrong.length === 0 ? 0 : 1;
}

async function openBench(options: Options, folder: string, progress: Progress, cleanup: Cleanup): Promise<Bench> {
  const servers = await progress.step("starting a broker and PostgreSQL", async () => await startServers(cleanup));
  const topics = await connectTopics(servers.broker.bootstrap);
  cleanup.add(async () => await topics.close());
  await topics.warmUp();
  return {
    servers,
    topics,
    folder,
    cleanup,
    say: progress.say,
    keep: options.keep,
    ...(options.profile === undefined ? {} : { profile: options.profile }),
  };
}

async function keepUntilInterrupted({ servers, folder }: Bench, progress: Progress): Promise<void> {
  const { port, user, password } = credentials(servers.postgres);
  progress.say(`Kafka: ${servers.broker.bootstrap}`);
  progress.say(`PostgreSQL: PGPASSWORD='${password}' psql -h 127.0.0.1 -p ${port} -U ${user} -l`);
  progress.say(`logs: ${folder}`);
  progress.say("all of it stays until Ctrl-C");
  await new Promise(() => setInterval(() => undefined, 60_000));
}

const progress = progressTo();
const cleanup = newCleanup(progress.say);
const interrupted = cleanUpOnSignals(cleanup, progress.say);
try {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) console.log(help);
  else process.exitCode = await main(options, progress, cleanup);
} catch (error) {
  if (!interrupted()) {
    if (!(error instanceof ClusterError)) throw error;
    console.error(`\n${error.message}`);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  }
} finally {
  await cleanup.run();
}
