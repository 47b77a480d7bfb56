/** `npm run demo:down`: the cluster goes, and the demonstration with it; the cache stays. */
import { ClusterError, removeCluster } from "../cluster/index.ts";

try {
  await removeCluster();
} catch (error) {
  if (!(error instanceof ClusterError)) throw error;
  console.error(`\n${error.message}`);
  process.exitCode = 1;
}
