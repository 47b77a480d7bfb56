/** How each image is made from what; the result is an archive in the cache, named by a hash of the contents. */
import { existsSync } from "node:fs";
import { cp, readdir, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { s3ServerBinary, staticProgram } from "../host/binaries.ts";
import { cached, contentKey, filesBelow } from "../host/cache.ts";
import { withLock } from "../host/lock.ts";
import { cacheDir, repository } from "../host/paths.ts";
import { run } from "../host/run.ts";
import { archiveOf, assemble, buildDockerfile, inStore, pullArchive } from "./buildah.ts";
import { writeKafkaScripts, kafkaScripts } from "./kafka-tools.ts";
import { nodeRootFs, rootFsTar, servicesRootFs } from "./debian.ts";
import { archiveUpperLayers, lowestLayer } from "./layout.ts";
import { images, type BuiltImage, type ImageKey } from "./names.ts";

const kafkaSources = join(import.meta.dirname, "kafka");
const archivesKept = 4;

/** Removes the oldest archives of an image, which nobody is likely to want back. */
async function prune(name: string): Promise<void> {
  const folders = (await readdir(cacheDir)).filter((folder) => folder.startsWith(`${name}-`));
  const dated = await Promise.all(
    folders.map(async (folder) => ({ folder, made: (await stat(join(cacheDir, folder))).mtimeMs })),
  );
  const old = dated.sort((one, other) => other.made - one.made).slice(archivesKept);
  for (const { folder } of old) await rm(join(cacheDir, folder), { recursive: true, force: true });
}

async function archived(key: ImageKey, tag: string, make: (output: string) => Promise<void>): Promise<BuiltImage> {
  const name = images[key];
  const folder = await cached(`image-${key}`, tag, async (unfinished) => {
    await make(archiveOf(join(unfinished, "image.tar"), `${name.repository}:${tag}`));
  });
  await prune(`image-${key}`);
  return { ...name, tag, archive: join(folder, "image.tar") };
}

/** Debian with Node, the very file that runs this program. */
async function nodeBase(): Promise<BuiltImage> {
  const tag = contentKey([nodeRootFs.key, process.version, process.arch]);
  return await archived("base", tag, async (output) => {
    const tar = await rootFsTar(nodeRootFs);
    const add = [
      { source: tar, target: "/" },
      { source: process.execPath, target: "/usr/local/bin/node" },
    ];
    await assemble(output, { add });
  });
}

/** Its name in buildah's store, where it is the archive's very layers. */
async function baseInStore(base: BuiltImage, layer: string): Promise<string> {
  const image = `${base.repository}:${layer.slice(0, 12)}`;
  await withLock(join(cacheDir, "locks", `base-${base.tag}`), 900, async () => {
    if (!(await inStore(image))) await pullArchive(base.archive, image);
  });
  return image;
}

async function staticImage(key: "pause" | "coredns"): Promise<BuiltImage> {
  const program = await staticProgram(key);
  const recipe = { add: [{ source: program.path, target: `/${key}` }], entrypoint: [`/${key}`], user: "65532:65532" };
  return await archived(key, program.key, async (output) => await assemble(output, recipe));
}

async function s3Image(): Promise<BuiltImage> {
  const program = await s3ServerBinary();
  const add = [{ source: program, target: "/usr/local/bin/versitygw" }];
  const recipe = { add, entrypoint: ["/usr/local/bin/versitygw"], user: "65532:65532" };
  const tag = contentKey([basename(dirname(program))]);
  return await archived("s3", tag, async (output) => await assemble(output, recipe));
}

/** Kafka's jars, and its tools beside them. */
async function kafkaHome(): Promise<string> {
  const key = contentKey([JSON.stringify(kafkaScripts)], kafkaSources, filesBelow(kafkaSources));
  return await cached("kafka", key, async (unfinished) => {
    const jars = join(unfinished, "libs");
    await run("mvn", ["-q", "-B", "-f", join(kafkaSources, "pom.xml"), `-Djars=${jars}`, "package"]);
    await cp(join(kafkaSources, "config"), join(unfinished, "config"), { recursive: true });
    await writeKafkaScripts(join(unfinished, "bin"));
  });
}

async function servicesImage(): Promise<BuiltImage> {
  const home = await kafkaHome();
  return await archived("services", contentKey([servicesRootFs.key, basename(home)]), async (output) => {
    const add = [
      { source: await rootFsTar(servicesRootFs), target: "/" },
      { source: home, target: "/opt/kafka" },
    ];
    await assemble(output, { add });
  });
}

/** The folders of our own images: each has a Dockerfile, and its bundle in dist/. */
export const ownImages = {
  operator: join(repository, "operator"),
  workloads: join(repository, "workloads"),
  standIns: join(repository, "test/cluster/stand-ins"),
} as const;
export type OwnImage = keyof typeof ownImages;

/** The tag of one of our own images: a hash of its bundle, its Dockerfile and what is below them. */
export function ownTag(key: OwnImage, below: string): string {
  const folder = ownImages[key];
  return contentKey([below], folder, [join(folder, "Dockerfile"), ...filesBelow(join(folder, "dist"))]);
}

/** Only what is above the base: that is loaded once, for all. */
async function ownImage(key: OwnImage): Promise<BuiltImage> {
  const base = await nodeBase();
  const layer = await lowestLayer(base.archive);
  const name = images[key];
  const tag = ownTag(key, layer);
  const folder = await cached(`image-${key}`, tag, async (unfinished) => {
    const layout = join(unfinished, "layout");
    const output = `oci:${layout}:${name.repository}:${tag}`;
    await buildDockerfile(output, ownImages[key], await baseInStore(base, layer));
    await archiveUpperLayers(layout, join(unfinished, "image.tar"));
  });
  await prune(`image-${key}`);
  return { ...name, tag, archive: join(folder, "image.tar") };
}

/** Whether there is a bundle for it. */
export function isBuilt(key: OwnImage): boolean {
  return existsSync(join(ownImages[key], "dist/main.js"));
}

/** The image, from the cache or made now. */
export async function buildImage(key: ImageKey): Promise<BuiltImage> {
  switch (key) {
    case "pause":
    case "coredns":
      return await staticImage(key);
    case "base":
      return await nodeBase();
    case "s3":
      return await s3Image();
    case "services":
      return await servicesImage();
    case "standIns":
    case "operator":
    case "workloads":
      return await ownImage(key);
  }
}
