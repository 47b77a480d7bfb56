/** `npm run cluster -- <command>` */
import { parseArgs } from "node:util";
import { describeCluster, ensureCluster, loadImages, removeCluster } from "./cluster.ts";
import { ClusterError, UsageError } from "./host/errors.ts";
import { progressTo } from "./host/progress.ts";

const help = `A Kubernetes cluster for this checkout: with kind where Docker answers, otherwise natively (Linux, root).

  npm run cluster -- up       make it, or complete it: node, DNS, volumes, and the images of the current sources
  npm run cluster -- load     bundle the current sources, and load the images that changed onto the running cluster
  npm run cluster -- status   say what runs
  npm run cluster -- down     remove it with everything that it left on this host; the cache stays

It lives in .cluster/, with .cluster/kubeconfig, and .cluster/bin/kubectl and helm. What is slow to make is kept in
$CAUDAL_CACHE (~/.cache/caudal if that is not set).`;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { help: { type: "boolean", short: "h" } },
  });
  const [command, ...more] = positionals;
  if (values.help === true || command === undefined) {
    console.log(help);
    return;
  }
  const progress = progressTo();
  if (more.length > 0) throw new UsageError(`I do not know what to do with "${more.join(" ")}".\n\n${help}`);
  switch (command) {
    case "up": {
      const { kubeconfig } = await ensureCluster(progress);
      progress.say("the cluster is ready. To look around:");
      console.log(`export KUBECONFIG=${kubeconfig} PATH=${kubeconfig.replace(/kubeconfig$/, "bin")}:$PATH`);
      return;
    }
    case "load":
      return await loadImages(progress);
    case "status":
      console.log(await describeCluster());
      return;
    case "down":
      return await removeCluster(progress);
    default:
      throw new UsageError(`There is no command "${command}".\n\n${help}`);
  }
}

try {
  await main();
} catch (error) {
  if (!(error instanceof ClusterError)) throw error;
  console.error(`\n${error.message}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
