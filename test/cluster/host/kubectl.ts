/** kubectl, on this checkout's cluster. */
import { join } from "node:path";
import { clusterDir, kubeconfigPath } from "./paths.ts";
import { run, type RunOptions } from "./run.ts";

export const kubectlPath = join(clusterDir, "bin", "kubectl");
export const helmPath = join(clusterDir, "bin", "helm");

/** Proxies are for the world outside: the cluster is reached without. */
const direct = { KUBECONFIG: kubeconfigPath, NO_PROXY: "*", no_proxy: "*" };

export async function kubectl(args: readonly string[], options: RunOptions = {}): Promise<string> {
  return await run(kubectlPath, args, { ...options, env: direct });
}

/** Applies manifests given as text; other managers' claims to the same fields give way. */
export async function applyText(text: string): Promise<void> {
  await kubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], { input: text });
}

/** helm, on this checkout's cluster; charts that come from the network still go through a proxy. */
export async function helm(args: readonly string[], options: RunOptions = {}): Promise<string> {
  const direct = ["localhost", "127.0.0.1", "10.99.0.0/16", process.env["NO_PROXY"] ?? ""].join(",");
  return await run(helmPath, args, { ...options, env: { KUBECONFIG: kubeconfigPath, NO_PROXY: direct } });
}
