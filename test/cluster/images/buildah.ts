/** Assembles images without a daemon and without a registry. Its store is a part of the cache. */
import { join } from "node:path";
import { cacheDir } from "../host/paths.ts";
import { run, succeeds } from "../host/run.ts";

const store = ["--root", join(cacheDir, "buildah"), "--runroot", join(cacheDir, "buildah-run")];

async function buildah(...args: readonly string[]): Promise<string> {
  return (await run("buildah", [...store, ...args])).trim();
}

export interface Recipe {
  /** An image of the store; nothing to start from an empty one. */
  readonly from?: string;
  /** Files, folders or tars (which are unpacked) of the host, and where they go. */
  readonly add: readonly { readonly source: string; readonly target: string }[];
  readonly entrypoint?: readonly string[];
  readonly user?: string;
}

/** Whether the store has an image. */
export async function inStore(image: string): Promise<boolean> {
  return await succeeds("buildah", [...store, "inspect", "--type", "image", "--format", "{{.FromImageID}}", image]);
}

/** Brings an archive into the store. */
export async function pullArchive(file: string, image: string): Promise<void> {
  const id = await buildah("pull", "--quiet", `oci-archive:${file}`);
  await buildah("tag", id, image);
}

/** Where an image goes that is not for the store: uncompressed, because it is unpacked next. */
export function archiveOf(file: string, image: string): string {
  return `oci-archive:${file}:${image}`;
}

/** Makes an image from files of this host; `output` is a name of the store, or {@link archiveOf} a file. */
export async function assemble(output: string, recipe: Recipe): Promise<void> {
  const container = await buildah("from", "--pull=never", recipe.from ?? "scratch");
  try {
    for (const { source, target } of recipe.add) await buildah("add", "--quiet", container, source, target);
    const entrypoint = recipe.entrypoint === undefined ? [] : ["--entrypoint", JSON.stringify(recipe.entrypoint)];
    const user = recipe.user === undefined ? [] : ["--user", recipe.user];
    await buildah("config", ...entrypoint, ...user, container);
    await buildah("commit", "--quiet", "--disable-compression", container, output);
  } finally {
    await buildah("rm", container);
  }
}

/** Makes an image from a folder's Dockerfile, as Docker would, but upon a base of the store. */
export async function buildDockerfile(output: string, context: string, base: string): Promise<void> {
  const options = ["--isolation", "chroot", "--pull=never", "--quiet", "--build-arg", `BASE=${base}`];
  await buildah("bud", ...options, "--disable-compression", "--tag", output, context);
}
