/** Files in a folder of a volume: published by a rename, which is atomic. */
import { copyFile, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { FilesRefused } from "./errors.ts";
import type { FileStore } from "./file-store.ts";

export class FolderStore implements FileStore {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async put(name: string, file: string): Promise<void> {
    const target = join(this.#root, name);
    await this.#try("write", async () => {
      await mkdir(dirname(target), { recursive: true });
      await copyFile(file, target);
      await sync(target);
    });
  }

  async publish(staged: string, name: string): Promise<void> {
    const target = join(this.#root, name);
    await this.#try("publish", async () => {
      await mkdir(dirname(target), { recursive: true });
      try {
        await rename(join(this.#root, staged), target);
      } catch (error) {
        if (codeOf(error) !== "ENOENT") throw error;
        await stat(target); // Someone else has done it.
      }
      await sync(dirname(target));
    });
  }

  async remove(name: string): Promise<void> {
    await this.#try("remove", async () => await rm(join(this.#root, name), { force: true }));
  }

  async list(start: string): Promise<readonly string[]> {
    const names: string[] = [];
    await this.#try("list", async () => {
      for (const folder of await entries(this.#root)) {
        if (!folder.isDirectory() || !folder.name.startsWith(start)) continue;
        for (const { name } of await entries(join(this.#root, folder.name))) names.push(`${folder.name}/${name}`);
      }
    });
    return names;
  }

  close(): void {
    // Nothing is held between calls.
  }

  async #try(doing: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      throw new FilesRefused(`${doing} a file below ${this.#root}: ${message}`, { cause: error });
    }
  }
}

/** What a folder holds; nothing where there is none yet. */
async function entries(path: string) {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}

/** Until it would outlive a power cut. @param path of a file or folder */
async function sync(path: string): Promise<void> {
  const handle = await open(path);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}
