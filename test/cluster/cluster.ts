/** The cluster of this checkout, by Docker where it answers and natively elsewhere; the same for who uses it. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { buildAll, type BundleFailed } from "../../scripts/build.ts";
import { dockerAnswers, dockerDown, dockerLoad, dockerRuns, dockerUp } from "./docker/cluster.ts";
import { NoCluster, StaleImages } from "./host/errors.ts";
import { helmPath, kubectl, kubectlPath } from "./host/kubectl.ts";
import { withLock } from "./host/lock.ts";
import { cacheDir, clusterDir, clusterId, kubeconfigPath } from "./host/paths.ts";
import { progressTo, type Progress } from "./host/progress.ts";
import { images } from "./images/names.ts";
import { removeNode, runningNode } from "./native/node.ts";
import { nativeLoad, nativeLoadExtra, nativeUp } from "./native/up.ts";

export interface ImageTag {
  readonly repository: string;
  readonly tag: string;
}

export interface Cluster {
  /** Path of an administrator's kubeconfig. */
  readonly kubeconfig: string;
  /** Paths of programs that fit the cluster. */
  readonly kubectl: string;
  readonly helm: string;
  /** Our images, in the contents of the current sources. */
  readonly images: { readonly operator: ImageTag; readonly workloads: ImageTag };
}

/** One of up, down and load at a time for this checkout. */
async function alone<T>(progress: Progress, work: () => Promise<T>): Promise<T> {
  const lock = join(cacheDir, "locks", `cluster-${clusterId}`);
  return await withLock(lock, 1800, work, () => progress.say("waiting for another up, load or down to end …"));
}

function withImages(built: readonly ImageTag[]): Cluster {
  const find = (key: "operator" | "workloads"): ImageTag => {
    const found = built.find(({ repository }) => repository === images[key].repository);
    if (found === undefined) throw new StaleImages(`The cluster runs, but there is no bundle of ${key} to run on it`);
    return { repository: found.repository, tag: found.tag };
  };
  const own = { operator: find("operator"), workloads: find("workloads") };
  return { kubeconfig: kubeconfigPath, kubectl: kubectlPath, helm: helmPath, images: own };
}

/** The cluster with the images of the current sources; made, completed or left as it is. */
export async function ensureCluster(progress: Progress = progressTo()): Promise<Cluster> {
  return await alone(progress, async () => {
    const { failed } = await progress.step("bundling operator, workloads and stand-ins", buildAll);
    for (const { message } of failed) progress.say(message);
    const built = (await dockerAnswers()) ? await dockerUp(progress) : await nativeUp(progress);
    refuseOldImages(failed);
    return withImages(built);
  });
}

/** A cluster with images of older sources is of use, but nobody may take it for what they asked for. */
function refuseOldImages(failed: readonly BundleFailed[]): void {
  const dists = failed.map(({ message }) => message.split(" ", 1)[0]).join(", ");
  if (failed.length > 0)
    throw new StaleImages(`The cluster runs, but without the current ${dists}: correct the sources, then run it again`);
}

/** Images of the current sources onto the running cluster. */
export async function loadImages(progress: Progress = progressTo()): Promise<void> {
  await alone(progress, async () => {
    const docker = await dockerAnswers();
    const node = docker ? undefined : await runningNode();
    if (docker ? !(await dockerRuns()) : node === undefined)
      throw new NoCluster("No cluster is running: `npm run cluster -- up` starts one");
    const { failed } = await progress.step("bundling operator, workloads and stand-ins", buildAll);
    for (const { message } of failed) progress.say(message);
    if (node === undefined) await dockerLoad(progress);
    else await nativeLoad(progress, node);
    refuseOldImages(failed);
  });
}

/**
 * Brings public images that pods of an example name to where no registry can be reached; where Docker is, nodes pull
 * them themselves. Images that are there from the start, and unknown ones, are left to the node.
 */
export async function loadPublicImages(names: readonly string[], progress: Progress = progressTo()): Promise<void> {
  if (!images.s3.aliases.some((alias) => names.some((name) => alias === `docker.io/${name}`))) return;
  await alone(progress, async () => {
    const node = (await dockerAnswers()) ? undefined : await runningNode();
    if (node !== undefined) await nativeLoadExtra(progress, node, "s3");
  });
}

/** Removes the cluster with all that it left on this host; the cache stays. */
export async function removeCluster(progress: Progress = progressTo()): Promise<void> {
  await alone(progress, async () => {
    await progress.step("removing the cluster", async () => {
      if (await dockerAnswers()) await dockerDown(progress);
      if (process.platform === "linux") await removeNode();
      await rm(clusterDir, { recursive: true, force: true });
    });
  });
}

/** What there is, in words. */
export async function describeCluster(): Promise<string> {
  const node = process.platform === "linux" ? await runningNode() : undefined;
  const docker = node === undefined && (await dockerAnswers()) && (await dockerRuns());
  if (node === undefined && !docker) return "No cluster. `npm run cluster -- up` makes one.";
  const kind = node === undefined ? "made by kind" : `native (without Docker), its node at ${node.settings.nodeIp}`;
  return `The cluster is ${kind}.\n\n${await kubectl(["get", "nodes,pods", "-A", "-o", "wide"])}`;
}
