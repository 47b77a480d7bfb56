/**
 * Events into files by event date, each in exactly one.
 *
 * A batch becomes one file for each partition and date. They are written under names that nobody reads, then committed
 * together with the offsets, and only then published: by a rename in a volume, by a copy in a store that has none.
 * Whatever is left over by a crash is found in PostgreSQL: what is committed is published, what is not never will be.
 */
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TopicRecreated } from "../../kafka/errors.ts";
import { describeError } from "../../runtime/errors.ts";
import { OutputRefused } from "../errors.ts";
import type { Output, OutputBatch, Position, Source } from "../output.ts";
import { dateOf, isBeyond, PUBLISHED, publishedName, stagedName, type Writer } from "./core/names.ts";
import type { FileStore } from "./file-store.ts";
import type { FileLedger, LedgerFile } from "./ledger.ts";
import type { WriteFile } from "./write-file.ts";

export interface FilesOutputOptions {
  readonly writer: Writer;
  /** How long, in milliseconds, and how many events a batch gathers before it becomes files. */
  readonly gather: { readonly ms: number; readonly events: number };
  openLedger(): Promise<FileLedger>;
  openStore(): FileStore;
  /** @param folder in which its files are */
  openWriter(folder: string): Promise<WriteFile>;
  readonly wants: WriteFile["wants"];
}

/** A file that is to be written, and the rows of the batch that it gets. */
interface Planned extends LedgerFile {
  readonly rows: readonly number[];
}

/** Everything that is held open between batches. */
interface Parts {
  readonly ledger: FileLedger;
  readonly store: FileStore;
  readonly writer: WriteFile;
  readonly folder: string;
}

export class FilesOutput implements Output {
  readonly wants: Output["wants"];
  readonly gather: FilesOutputOptions["gather"];
  readonly #options: FilesOutputOptions;
  #parts: Parts | undefined;

  constructor(options: FilesOutputOptions) {
    this.#options = options;
    this.wants = new Set([options.wants]);
    this.gather = options.gather;
  }

  get incarnation(): string {
    return this.#parts?.ledger.incarnation ?? "";
  }

  async accept(): Promise<void> {
    await this.#open();
  }

  async stored(source: Source, partitions: readonly number[]): Promise<ReadonlyMap<number, number>> {
    this.#parts?.ledger.check();
    const { ledger } = await this.#open();
    return await ledger.stored(source, partitions);
  }

  async positions(source: Source, _assignee: unknown, starts: ReadonlyMap<number, number>): Promise<Position[]> {
    const { ledger, store } = await this.#open();
    const partitions = [...starts.keys()];
    // First of all: from here on nobody who had these partitions before can commit what they have begun.
    for (const { id } of await ledger.abandon(source, partitions)) await store.remove(stagedName(id));
    await this.#publish(await ledger.committed(source, partitions));
    const progress = await ledger.progress(source, starts);
    const foreign = progress.find(({ topicId }) => topicId !== source.topicId);
    if (foreign !== undefined) throw new TopicRecreated(source.topic, foreign.topicId, source.topicId, progress);
    await this.#withdraw(
      source,
      progress.map(({ partition, nextOffset }) => [partition, nextOffset]),
    );
    return progress.map(({ partition, nextOffset, leaderEpoch }) => ({
      ...{ partition, offset: nextOffset, epoch: leaderEpoch },
    }));
  }

  /** Removes files whose commit PostgreSQL has lost: their events are written again. */
  async #withdraw(source: Source, places: readonly (readonly [partition: number, next: number])[]): Promise<void> {
    if (places.length === 0) return;
    const { store } = await this.#open();
    const { writer } = this.#options;
    for (const name of await store.list(PUBLISHED))
      if (places.some(([partition, next]) => isBeyond(writer, source, partition, next, name))) await store.remove(name);
  }

  async commit(source: Source, batch: OutputBatch): Promise<void> {
    this.#parts?.ledger.check();
    const { ledger, store, writer, folder } = await this.#open();
    const files = this.#plan(source, batch, writer.extension);
    if (files.length > 0) await ledger.begin(source, files);
    for (const { id, rows } of files) {
      const local = join(folder, id);
      try {
        await write(writer, local, batch, rows);
        await store.put(stagedName(id), local);
      } finally {
        await rm(local, { force: true });
      }
    }
    await ledger.commit(source, batch.moves, files);
    await this.#publish(files);
  }

  async close(): Promise<void> {
    const parts = this.#parts;
    this.#parts = undefined;
    if (parts === undefined) return;
    parts.store.close();
    parts.writer.close();
    await parts.ledger.close();
    await rm(parts.folder, { recursive: true, force: true });
  }

  /** One file for each partition and date that has rows. */
  #plan(source: Source, batch: OutputBatch, extension: WriteFile["extension"]): readonly Planned[] {
    const moves = new Map(batch.moves.map((move) => [move.partition, move]));
    const rows = new Map<string, { readonly partition: number; readonly date: string; readonly rows: number[] }>();
    for (let row = 0; row < batch.count; row++) {
      const partition = batch.partitions[row] as number;
      const date = dateOf(batch.times[row] as number);
      const key = `${partition} ${date}`;
      const known = rows.get(key);
      if (known === undefined) rows.set(key, { partition, date, rows: [row] });
      else known.rows.push(row);
    }
    return [...rows.values()].flatMap(({ partition, date, rows: own }) => {
      const move = moves.get(partition);
      if (move === undefined) return [];
      const name = publishedName(this.#options.writer, source, move, date, extension);
      return { id: randomUUID(), partition, name, rows: own };
    });
  }

  async #publish(files: readonly LedgerFile[]): Promise<void> {
    if (files.length === 0) return;
    const { ledger, store } = await this.#open();
    for (const { id, name } of files) await store.publish(stagedName(id), name);
    await ledger.published(files);
  }

  async #open(): Promise<Parts> {
    if (this.#parts?.ledger.lost === true) await this.close();
    if (this.#parts === undefined) {
      const { openLedger, openStore, openWriter } = this.#options;
      const ledger = await openLedger();
      const folder = await mkdtemp(join(tmpdir(), "caudal-files-"));
      this.#parts = { ledger, store: openStore(), writer: await openWriter(folder), folder };
    }
    return this.#parts;
  }
}

/**
 * @throws OutputRefused where a file without the rows can be written, so that they are to blame: not when there is no room
 */
async function write(writer: WriteFile, file: string, batch: OutputBatch, rows: readonly number[]): Promise<void> {
  try {
    await writer.write(file, batch, rows);
  } catch (error) {
    if (rows.length === 0 || isOfStorage(error)) throw error;
    await writer.write(file, batch, []);
    throw new OutputRefused(`a file of ${writer.extension} cannot hold it: ${describeError(error)}`, undefined, {
      cause: error,
    });
  }
}

/** Whether a disk or a file system failed: DuckDB says so in words, Node with a code. */
function isOfStorage(error: unknown): boolean {
  return error instanceof Error && ("code" in error || /^(IO|Out of Memory) Error/.test(error.message));
}
