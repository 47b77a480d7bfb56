/** `npm run demo`: everything from nothing to an example's tables filling. */
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { ClusterError, ensureCluster } from "../cluster/index.ts";
import { kubeconfigPath, repository } from "../cluster/host/paths.ts";
import { progressTo } from "../cluster/host/progress.ts";
import { diagnose } from "./diagnosis.ts";
import { DemoFailed } from "./errors.ts";
import { findExample, type Example } from "./example.ts";
import { installAll } from "./install.ts";
import { formatTable } from "./tables.ts";
import { awaitReady, awaitRows } from "./wait.ts";
import { watchTables } from "./watch.ts";

const help = `npm run demo [-- <example>] [--no-watch]

  Brings up a cluster, Kafka, PostgreSQL and Caudal, applies examples/<example> (app-events if not given), and waits
  until its tables fill. On a terminal it shows them filling until Ctrl-C. The cluster stays: npm run demo:down
  removes it.`;

function lookAround(example: Example): string {
  const table = example.tables[0]?.name ?? "";
  const cluster = relative(process.cwd(), kubeconfigPath.replace(/kubeconfig$/, "")) || ".";
  return `The cluster stays up. To look around:

  export KUBECONFIG=$PWD/${cluster}/kubeconfig PATH=$PWD/${cluster}/bin:$PATH
  kubectl get streampipelines
  kubectl describe streampipeline ${example.pipeline}
  kubectl exec platform-dual-role-0 -- /opt/kafka/bin/kafka-topics.sh --bootstrap-server localhost:9092 --list
  kubectl exec ${example.databaseCluster}-1 -c postgres -- psql ${example.database} -c 'select * from ${table} limit 10'

npm run demo:down removes it.`;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { help: { type: "boolean", short: "h" }, "no-watch": { type: "boolean" } },
  });
  if (values.help === true) {
    console.log(help);
    return;
  }
  const example = findExample(join(repository, "examples"), positionals[0] ?? "app-events");
  const progress = progressTo();
  const cluster = await ensureCluster(progress);
  try {
    await installAll(progress, cluster.images, example);
    await progress.step(`waiting until StreamPipeline ${example.pipeline} is Ready`, async () => {
      await awaitReady(progress, example, 420);
    });
    const tables = await progress.step("waiting for rows in every table", async () => await awaitRows(example, 300));
    if (process.stdout.isTTY && values["no-watch"] !== true) {
      const interrupted = new AbortController();
      process.once("SIGINT", () => interrupted.abort());
      await watchTables(example, interrupted.signal);
    } else {
      console.log(`\n${tables.map(formatTable).join("\n\n")}`);
    }
  } catch (error) {
    console.error(`\n${await diagnose(example)}`);
    throw error;
  }
  console.log(`\n${lookAround(example)}`);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof ClusterError || error instanceof DemoFailed)) throw error;
  console.error(`\nThe demonstration failed. ${error.message}`);
  process.exitCode = 1;
}
