/** OCI image layouts: folders of blobs, here with exactly one image each. */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../host/run.ts";

interface Descriptor {
  readonly digest: string;
}

function firstDigest(text: string, list: "manifests" | "layers"): string {
  const found = (JSON.parse(text) as Record<typeof list, readonly Descriptor[]>)[list][0]?.digest ?? "";
  return found.replace("sha256:", "");
}

/** Digest (without its algorithm) of an archive's lowest layer. */
export async function lowestLayer(archive: string): Promise<string> {
  const read = async (name: string): Promise<string> =>
    await run("tar", ["--extract", "--to-stdout", "-f", archive, name]);
  return firstDigest(await read(`blobs/sha256/${firstDigest(await read("index.json"), "manifests")}`), "layers");
}

/** Writes a layout to an archive without its lowest layer, for where that layer already is. */
export async function archiveUpperLayers(layout: string, archive: string): Promise<void> {
  const blob = (digest: string): string => join(layout, "blobs/sha256", digest);
  const manifest = blob(firstDigest(await readFile(join(layout, "index.json"), "utf8"), "manifests"));
  await rm(blob(firstDigest(await readFile(manifest, "utf8"), "layers")));
  await run("tar", ["--create", "-f", archive, "-C", layout, "."]);
  await rm(layout, { recursive: true });
}
