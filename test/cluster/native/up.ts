/** The native cluster from nothing, or whatever is missing of it. */
import { dirname, join } from "node:path";
import { helmBinary, kubernetesBinaries, linkForPeople, staticProgram } from "../host/binaries.ts";
import { ensureHostPrograms } from "../host/packages.ts";
import { clusterDir } from "../host/paths.ts";
import { type Progress } from "../host/progress.ts";
import { buildImage, isBuilt, type OwnImage } from "../images/catalogue.ts";
import { images, type BuiltImage, type ImageKey } from "../images/names.ts";
import { applyBasics, applyStandIns, awaitBasics } from "./add-ons.ts";
import { importImages } from "./containerd.ts";
import { runningNode, startNode, type RunningNode } from "./node.ts";

const titles: Readonly<Record<ImageKey, string>> = {
  pause: "the pause image",
  base: "the image of Debian with Node",
  coredns: "the image of CoreDNS",
  services: "the image of Kafka, PostgreSQL and Valkey",
  s3: "the image of an S3 server (some 3 minutes the first time)",
  standIns: "the image of the stand-ins",
  operator: "the image of the operator",
  workloads: "the image of the workloads",
};

async function image(progress: Progress, key: ImageKey): Promise<BuiltImage> {
  return await progress.step(`making ${titles[key]}`, async () => await buildImage(key));
}

/** Our own images, of the bundles that exist, after what they are built upon. */
async function ownImages(progress: Progress): Promise<readonly BuiltImage[]> {
  const keys: readonly OwnImage[] = ["standIns", "operator", "workloads"];
  const made = [await image(progress, "base")];
  for (const key of keys.filter(isBuilt)) made.push(await image(progress, key));
  return made;
}

/** Makes, ahead of a cluster, the images that take minutes the first time and have nothing of ours in them. */
export async function buildBaseImages(progress: Progress): Promise<void> {
  await ensureHostPrograms(progress);
  await image(progress, "services");
  await image(progress, "base");
}

async function ensureNode(progress: Progress): Promise<RunningNode> {
  const binaries = await progress.step("building Kubernetes (some 4 minutes the first time)", kubernetesBinaries);
  const pause = await progress.step("building the pause program", async () => await staticProgram("pause"));
  const running = await runningNode();
  const current = running?.settings.binaryDir === dirname(binaries.etcd);
  if (running !== undefined && !current)
    progress.say("the running cluster is of another version: a new one takes its place");
  const node =
    running !== undefined && current
      ? running
      : await progress.step("starting etcd, the control plane, containerd and the kubelet", async () => {
          return await startNode(binaries, pause.path);
        });
  await linkForPeople(join(clusterDir, "bin"), { kubectl: binaries.kubectl });
  return node;
}

async function load(progress: Progress, node: RunningNode, built: readonly BuiltImage[]): Promise<void> {
  const names = built.map(({ repository }) => repository.split("/").at(-1)).join(", ");
  await progress.step(`loading ${names}`, async () => await importImages(node, built));
}

async function loadOwn(progress: Progress, node: RunningNode, built: readonly BuiltImage[]): Promise<void> {
  await load(progress, node, built);
  const standIns = built.find(({ repository }) => repository === images.standIns.repository);
  if (standIns !== undefined) await applyStandIns(standIns);
}

/**
 * Makes everything that is missing: programs, images, the node, what runs on it. Quick when nothing is.
 * Returns our own images.
 */
export async function nativeUp(progress: Progress): Promise<readonly BuiltImage[]> {
  await ensureHostPrograms(progress);
  // Compiling keeps the processors busy, making root file systems waits for packages: side by side.
  const services = image(progress, "services");
  const ours = services.then(async () => await ownImages(progress));
  const helm = services.then(async () => await progress.step("building helm (a minute the first time)", helmBinary));
  // What fails first is reported where it is awaited.
  for (const early of [services, ours, helm]) early.catch(() => undefined);

  const node = await ensureNode(progress);
  const coredns = await image(progress, "coredns");
  await load(progress, node, [await image(progress, "pause"), coredns]);
  await applyBasics(node.settings, coredns);
  const ready = progress.step("waiting for the node and CoreDNS", awaitBasics);
  ready.catch(() => undefined);
  await Promise.all([
    ours.then(async (built) => await loadOwn(progress, node, built)),
    services.then(async (built) => await load(progress, node, [built])),
  ]);
  await linkForPeople(join(clusterDir, "bin"), { helm: await helm });
  await ready;
  return await ours;
}

/** Brings an image that only some examples use onto the running cluster. */
export async function nativeLoadExtra(progress: Progress, node: RunningNode, key: "s3"): Promise<void> {
  await load(progress, node, [await image(progress, key)]);
}

/** Brings our own images, as they are built now, onto the running cluster. */
export async function nativeLoad(progress: Progress, node: RunningNode): Promise<void> {
  await loadOwn(progress, node, await ownImages(progress));
}
