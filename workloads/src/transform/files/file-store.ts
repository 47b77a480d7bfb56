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
  close(): void;
}
