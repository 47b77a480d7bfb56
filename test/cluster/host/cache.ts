/** Things that are slow to make, kept under a name that is a hash of what they are made from. */
import { createHash } from "node:crypto";
import { existsSync, globSync, readFileSync } from "node:fs";
import { chmod, mkdir, rename, rm } from "node:fs/promises";
import { join, relative } from "node:path";
import { withLock } from "./lock.ts";
import { cacheDir } from "./paths.ts";

/** A hash over texts (versions, options) and files (their contents and names relative to `root`), in sorted order. */
export function contentKey(parts: readonly string[], root = "/", files: readonly string[] = []): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`text ${Buffer.byteLength(part)}\n${part}`);
  for (const file of [...files].sort()) {
    const content = readFileSync(file);
    hash.update(`file ${relative(root, file)} ${content.length}\n`).update(content);
  }
  return hash.digest("hex").slice(0, 12);
}

/** The files below a folder, for {@link contentKey}. */
export function filesBelow(folder: string): string[] {
  return globSync("**", { cwd: folder, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/**
 * The folder `name-key` of the cache, made by `make` if it is not there. Whole or not at all: it is filled under another
 * name and then renamed, and processes that want the same wait for the first.
 */
export async function cached(name: string, key: string, make: (folder: string) => Promise<void>): Promise<string> {
  const folder = join(cacheDir, `${name}-${key}`);
  if (existsSync(folder)) return folder;
  return await withLock(join(cacheDir, "locks", `${name}-${key}`), 1800, async () => {
    if (existsSync(folder)) return folder;
    const unfinished = join(cacheDir, `.making-${name}-${key}`);
    await rm(unfinished, { recursive: true, force: true });
    await mkdir(unfinished, { recursive: true });
    await chmod(unfinished, 0o755);
    await make(unfinished);
    await rename(unfinished, folder);
    return folder;
  });
}
