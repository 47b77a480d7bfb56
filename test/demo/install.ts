/** What the demonstration puts on the cluster: a Kafka for development, Caudal, and the example. */
import { join } from "node:path";
import { loadPublicImages, type Cluster } from "../cluster/index.ts";
import { helm, kubectl } from "../cluster/host/kubectl.ts";
import { repository } from "../cluster/host/paths.ts";
import { type Progress } from "../cluster/host/progress.ts";
import { type Example } from "./example.ts";

/** Where the example and its Kafka live, and where the operator. */
export const namespace = "caudal-demo";
export const systemNamespace = "caudal-system";

/** Arguments of helm for Caudal's chart, with the images that the cluster has. */
export function caudalArgs(images: Cluster["images"]): readonly string[] {
  const values = {
    "image.repository": images.operator.repository,
    "image.tag": images.operator.tag,
    "image.pullPolicy": "IfNotPresent",
    "workloads.image.repository": images.workloads.repository,
    "workloads.image.tag": images.workloads.tag,
    "workloads.image.pullPolicy": "IfNotPresent",
  };
  return Object.entries(values).flatMap(([name, value]) => ["--set-string", `${name}=${value}`]);
}

async function install(release: string, into: string, ...args: readonly string[]): Promise<void> {
  const chart = join(repository, "charts", release);
  await helm(["upgrade", "--install", release, chart, "--namespace", into, "--create-namespace", ...args]);
}

/** Installs or upgrades all; what runs already and did not change keeps running. */
export async function installAll(progress: Progress, images: Cluster["images"], example: Example): Promise<void> {
  await progress.step("helm: a Kafka for development", async () => await install("platform", namespace));
  await kubectl(["config", "set-context", "--current", `--namespace=${namespace}`]);
  await progress.step("helm: Caudal's operator, until it is ready", async () => {
    await install("caudal", systemNamespace, ...caudalArgs(images), "--wait", "--timeout", "5m");
  });
  await loadPublicImages(example.images, progress);
  await progress.step(`kubectl apply: ${example.pipeline}`, async () => {
    await kubectl(["--namespace", namespace, "apply", "-f", example.folder]);
  });
}
