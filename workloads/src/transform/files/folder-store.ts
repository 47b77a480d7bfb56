/** Files in a folder of a volume: published by a rename, which is atomic. */
import { copyFile, mkdir, open, rename, rm, stat } from "node:fs/promises";
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
