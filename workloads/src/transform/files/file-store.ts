/** Where files go: a folder of a volume, or a prefix of a bucket. */

export interface FileStore {
  /** Writes a file under a name that no other has; it is there as a whole, and safe from a crash, when this returns. */
  put(name: string, file: string): Promise<void>;
  /**
   * Gives a file another name at once: no reader sees a part of it. Nothing happens when it has that name already,
   * because someone else has done it.
   *
   * @throws FilesRefused when it has neither name: it was removed by others
   */
  publish(staged: string, name: string): Promise<void>;
  /** Removes a file, if it is there. */
  remove(name: string): Promise<void>;
  /** Names of all files whose names begin so, in no order. */
  list(start: string): Promise<readonly string[]>;
  close(): void;
}

/** Told of each call: its name, how long it took and how it ended. */
export type StoreObserver = (call: string, seconds: number, outcome: "ok" | "error") => void;

/** The store, with its calls told. */
export function observed(store: FileStore, observe: StoreObserver): FileStore {
  const told = async <T>(call: string, work: Promise<T>): Promise<T> => {
    const began = performance.now();
    try {
      const result = await work;
      observe(call, (performance.now() - began) / 1000, "ok");
      return result;
    } catch (error) {
      observe(call, (performance.now() - began) / 1000, "error");
      throw error;
    }
  };
  return {
    put: async (name, file) => await told("put", store.put(name, file)),
    publish: async (staged, name) => await told("publish", store.publish(staged, name)),
    remove: async (name) => await told("remove", store.remove(name)),
    list: async (start) => await told("list", store.list(start)),
    close: () => store.close(),
  };
}
