/** The native cluster from nothing, or whatever is missing of it. */
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { helmBinary, kubernetesBinaries, linkForPeople, staticProgram } from "../host/binaries.ts";
import { ensureHostPrograms } from "../host/packages.ts";
import { clusterDir, kubeconfigPath } from "../host/paths.ts";
import { poll } from "../host/poll.ts";
import { type Progress } from "../host/progress.ts";
import { run } from "../host/run.ts";
import { buildImage, isBuilt } from "../images/catalogue.ts";
import { type BuiltImage, type ImageKey } from "../images/names.ts";
import { importImages } from "./containerd.ts";
import { runningNode, startNode, type RunningNode } from "./node.ts";

const manifests = join(import.meta.dirname, "../manifests");
const titles: Readonly<Record<ImageKey, string>> = {
  pause: "the pause image",
  coredns: "CoreDNS",
  kafka: "the image of Kafka",
  postgres: "the image of PostgreSQL",
  standIns: "the image of the stand-ins",
  operator: "the image of the operator",
  workloads: "the image of the workloads",
};

async function image(progress: Progress, key: ImageKey): Promise<BuiltImage> {
  return await progress.step(`making ${titles[key]}`, async () => await buildImage(key));
}

/** Our own images, of the bundles that exist. */
async function ownImages(progress: Progress): Promise<readonly BuiltImage[]> {
  const made: BuiltImage[] = [];
  for (const key of ["operator", "workloads", "standIns"] as const) {
    if (isBuilt(key)) made.push(await image(progress, key));
  }
  return made;
}

async function ensureNode(progress: Progress): Promise<RunningNode> {
  const binaries = await progress.step("building Kubernetes (some 4 minutes the first time)", kubernetesBinaries);
  const pause = await progress.step("building the pause program", async () => await staticProgram("pause"));
  await linkForPeople(join(clusterDir, "bin"), { kubectl: binaries.kubectl });
  const running = await runningNode();
  if (running !== undefined && running.settings.binaryDir === dirname(binaries.etcd)) return running;
  if (running !== undefined) progress.say("the running cluster is of another version: it is replaced by a new one");
  return await progress.step("starting etcd, the control plane, containerd and the kubelet", async () => {
    return await startNode(binaries, pause.path);
  });
}

async function load(progress: Progress, node: RunningNode, built: readonly BuiltImage[]): Promise<void> {
  const names = built.map(({ repository }) => repository.split("/").at(-1)).join(", ");
  await progress.step(`loading ${names}`, async () => await importImages(node, built));
}

async function applyManifests(node: RunningNode, coredns: BuiltImage): Promise<void> {
  const values: Readonly<Record<string, string>> = {
    image: `${coredns.repository}:${coredns.tag}`,
    dnsIp: node.settings.dnsIp,
  };
  const texts = ["coredns.yaml", "storage-class.yaml"].map(async (name) => {
    return await readFile(join(manifests, name), "utf8");
  });
  const input = (await Promise.all(texts)).join("\n---\n").replace(/\$\{(\w+)\}/g, (all, name: string) => {
    return values[name] ?? all;
  });
  const kubectl = join(clusterDir, "bin", "kubectl");
  await run(kubectl, ["--kubeconfig", kubeconfigPath, "apply", "--server-side", "--force-conflicts", "-f", "-"], {
    input,
  });
}

async function awaitReady(): Promise<void> {
  const kubectl = async (...args: string[]): Promise<string> =>
    await run(join(clusterDir, "bin", "kubectl"), ["--kubeconfig", kubeconfigPath, ...args]);
  const ready = async (): Promise<true | undefined> => {
    const path = `jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}`;
    if ((await kubectl("get", "nodes", "-o", path)) !== "True") return undefined;
    const available = await kubectl(
      "-n",
      "kube-system",
      "get",
      "deploy",
      "coredns",
      "-o",
      "jsonpath={.status.availableReplicas}",
    );
    return available === "1" ? true : undefined;
  };
  await poll(ready, {
    seconds: 120,
    everyMs: 300,
    onTimeout: async () => {
      const seen = await kubectl("get", "nodes,pods,events", "-n", "kube-system", "-o", "wide");
      return `The node or CoreDNS is not ready after 2 minutes; see ${clusterDir}/node/log, and this:\n${seen}`;
    },
  });
}

/** Makes everything that is missing: programs, images, the node, what runs on it. Quick when nothing is. */
export async function nativeUp(progress: Progress): Promise<void> {
  await ensureHostPrograms(progress);
  // Compiling keeps the processors busy, making root file systems waits for packages: side by side.
  const ours = ownImages(progress);
  const services = ours.then(async () => [await image(progress, "postgres"), await image(progress, "kafka")]);
  // What fails first is what is reported, when it is awaited.
  for (const early of [ours, services]) early.catch(() => undefined);
  const node = await ensureNode(progress);
  const coredns = await image(progress, "coredns");
  await load(progress, node, [await image(progress, "pause"), coredns]);
  await applyManifests(node, coredns);
  const ready = progress.step("waiting for the node and CoreDNS", awaitReady);
  ready.catch(() => undefined);
  const helm = progress.step("building helm (some 70 s the first time)", helmBinary);
  helm.catch(() => undefined);
  await load(progress, node, [...(await ours), ...(await services)]);
  await linkForPeople(join(clusterDir, "bin"), { helm: await helm });
  await ready;
}

/** Brings our own images, as they are built now, onto the running cluster. */
export async function nativeLoad(progress: Progress, node: RunningNode): Promise<void> {
  await load(progress, node, await ownImages(progress));
}
