/** Events into Redis: each becomes a key, and the offset up to which they have stands beside them. */
import { keyOf, type KeyTemplate, parseKeyTemplate, PROGRESS_KEYS } from "@caudal/crds";
import { TopicRecreated } from "../../kafka/errors.ts";
import { jsonTextAt, type TextAt } from "../../kernel/delta-text.ts";
import type { Owner } from "../../postgres/core/table-decision.ts";
import { madeOf, OutputRefused } from "../errors.ts";
import type { Output, OutputBatch, OutputColumn, OutputMove, Position, Source } from "../output.ts";
import { RedisConnection, type RedisConnectionOptions } from "./connection.ts";
import { rowsByPartition, stepsOf } from "./core/steps.ts";
import { RedisProgressMoved, RedisRefused } from "./errors.ts";

export interface RedisOutputOptions {
  readonly owner: Owner;
  /** Name of the output in its stage. */
  readonly name: string;
  /** Hash of what decides about keys and values: progress of another one is refused. */
  readonly plan: string;
  readonly columns: readonly OutputColumn[];
  /** Template of the key, such as `tx:{id}`. */
  readonly key: string;
  readonly as: "hash" | "json";
  /** Time to live of a key, milliseconds; 0: for ever. */
  readonly ttlMs: number;
  readonly connection: Pick<RedisConnectionOptions, "secret" | "onCall">;
}

/** Scripts that are on their way at once: enough to keep Redis busy, and few enough for memory. */
const IN_FLIGHT = 4;
/** Longer ones are no keys but values. */
const KEY_BYTES = 1_024;

export class RedisOutput implements Output {
  readonly wants: Output["wants"];
  readonly #options: RedisOutputOptions;
  readonly #template: KeyTemplate;
  #connection: RedisConnection | undefined;

  /** @throws RedisRefused when the template names no column of the select */
  constructor(options: RedisOutputOptions) {
    this.#options = options;
    this.#template = templateOf(options);
    this.wants = new Set(options.as === "json" ? ["columns", "json"] : ["columns"]);
  }

  /** The keys of each partition say of which definition they are. */
  async accept(source: Source, starts: ReadonlyMap<number, number>): Promise<void> {
    await this.positions(source, undefined, starts);
  }

  async stored(source: Source, partitions: readonly number[]): Promise<ReadonlyMap<number, number>> {
    const { owner, plan } = this.#options;
    const connection = await this.#connected();
    const places = await Promise.all(
      partitions.map(async (partition): Promise<[number, number][]> => {
        const [uid, topicId, stored, next] = await connection.read(this.#progressKey(source, partition), [
          ...["uid", "topic_id", "plan", "next"],
        ]);
        return uid === owner.uid && topicId === source.topicId && stored === plan ? [[partition, Number(next)]] : [];
      }),
    );
    return new Map(places.flat());
  }

  async positions(source: Source, _assignee: unknown, starts: ReadonlyMap<number, number>): Promise<Position[]> {
    const { owner, plan } = this.#options;
    const connection = await this.#connected();
    return await Promise.all(
      [...starts].map(async ([partition, start]) => {
        const args = [owner.uid, source.topicId, plan, String(start), ...(source.lost ?? [])];
        const answer = await connection.begin(this.#progressKey(source, partition), args);
        const [next, epoch, uid, topicId, stored, replaced] = answer.map(String);
        if (replaced === "1")
          throw new RedisRefused(
            `a pipeline ${owner.pipeline} with uid ${uid} has taken the place of this one, which has ${owner.uid}`,
          );
        if (topicId !== source.topicId)
          throw new TopicRecreated(source.topic, topicId ?? "", source.topicId, [
            { partition, nextOffset: Number(next) },
          ]);
        if (stored !== plan)
          throw new RedisRefused(
            `the keys that output ${this.#options.name} has written are of another definition of it: put the definition back, or give the output another name, under which the topic is read from its beginning`,
          );
        return { partition, offset: Number(next), epoch: Number(epoch) };
      }),
    );
  }

  /** Partitions are independent of each other, as their progress is. */
  async commit(source: Source, batch: OutputBatch): Promise<void> {
    // Before anything is written: a row without a key refuses the whole batch.
    const keys = madeOf(batch, "a key", (rows) => this.#keys(rows));
    const connection = await this.#connected();
    const sent: Promise<void>[] = [];
    try {
      for (const { key, args } of this.#scripts(source, batch, keys)) {
        const write = this.#write(connection, key, args);
        write.catch(() => undefined); // told where it is awaited
        sent.push(write);
        if (sent.length === IN_FLIGHT) await sent.shift();
      }
      for (const write of sent) await write;
    } finally {
      await Promise.allSettled(sent);
    }
  }

  async close(): Promise<void> {
    this.#connection?.close();
    return await Promise.resolve();
  }

  async #connected(): Promise<RedisConnection> {
    if (this.#connection === undefined || this.#connection.lost) {
      const { owner, connection } = this.#options;
      const name = `caudal-${owner.pipeline}-${owner.stage}`.replace(/[^A-Za-z0-9_.-]/g, "-");
      this.#connection = await RedisConnection.open({ ...connection, name });
    }
    return this.#connection;
  }

  #progressKey({ topic }: Source, partition: number): string {
    const { owner, name } = this.#options;
    return `${PROGRESS_KEYS}${owner.pipeline}/${owner.stage}/${name}:${topic}:${partition}`;
  }

  async #write(connection: RedisConnection, key: string, args: readonly string[]): Promise<void> {
    if (await connection.write(key, args)) return;
    throw new RedisProgressMoved(
      `progress of output ${this.#options.name} in Redis is not where it was left: someone else has moved it, or Redis has lost it`,
    );
  }

  /** A script, or a chain of them, for each partition that moves; each is made when it is asked for. */
  *#scripts(
    source: Source,
    batch: OutputBatch,
    keys: readonly string[],
  ): Generator<{ readonly key: string; readonly args: readonly string[] }> {
    const rows = rowsByPartition(batch);
    const write = this.#rowWriter(batch);
    for (const move of batch.moves)
      for (const { step, rows: own } of stepsOf(move, rows.get(move.partition) ?? [], batch.offsets)) {
        const args = this.#head(source, step);
        // Of events with the same key the last one stays: only that one is sent.
        const last = new Map(own.map((row) => [keys[row] ?? "", row]));
        // Each partition is written by itself: those before it stay, and are not written again.
        madeOf({ ...batch, count: last.size }, "a value", ({ count }) => {
          if (count > 0) for (const [key, row] of last) write(args, key, row);
        });
        yield { key: this.#progressKey(source, move.partition), args };
      }
  }

  #head({ topicId }: Source, { from, to, fromEpoch, toEpoch }: OutputMove): string[] {
    const { owner, plan, as, ttlMs } = this.#options;
    return [owner.uid, topicId, plan, ...[from, fromEpoch, to, toEpoch].map(String), as, String(ttlMs)];
  }

  /** @throws OutputRefused for a row without a key, or with one under which progress is kept */
  #keys({ columns, count }: OutputBatch): readonly string[] {
    const texts = this.#template.columns.map((name) => {
      const index = this.#options.columns.findIndex((column) => column.name === name);
      return this.#texts(columns, index);
    });
    return Array.from({ length: count }, (_, row) => {
      const key = keyOf(
        this.#template,
        texts.map((text) => text(row)),
      );
      if (key === undefined)
        throw new OutputRefused(`the key ${this.#options.key} needs ${this.#template.columns.join(", ")}: one is NULL`);
      if (key.startsWith(PROGRESS_KEYS))
        throw new OutputRefused(
          `the key ${key.slice(0, 128)} begins with ${PROGRESS_KEYS}, under which is kept how far outputs have come`,
        );
      if (Buffer.byteLength(key) > KEY_BYTES)
        throw new OutputRefused(`the key ${key.slice(0, 64)}… is longer than ${KEY_BYTES} bytes`);
      return key;
    });
  }

  /** Appends what the script takes for one row. */
  #rowWriter({ columns, json }: OutputBatch): (args: string[], key: string, row: number) => void {
    if (this.#options.as === "json")
      return (args, key, row) =>
        void args.push(key, json?.bytes.toString("utf8", json.starts[row], json.ends[row]) ?? "");
    const fields = this.#options.columns.map(({ name }, index) => ({ name, text: this.#texts(columns, index) }));
    return (args, key, row) => {
      const at = args.push(key, "");
      for (const { name, text } of fields) {
        const value = text(row);
        if (value !== null) args.push(name, value);
      }
      args[at - 1] = String(args.length - at);
    };
  }

  #texts(columns: OutputBatch["columns"], index: number): TextAt {
    const column = columns[index];
    if (column === undefined) return () => null;
    return jsonTextAt(column, this.#options.columns[index]?.duckdbType ?? "VARCHAR");
  }
}

function templateOf({ key, columns, name }: RedisOutputOptions): KeyTemplate {
  const template = parseKeyTemplate(key);
  if (typeof template === "string") throw new RedisRefused(`the key of output ${name}: ${template}`);
  const known = columns.map((column) => column.name);
  const unknown = template.columns.find((column) => !known.includes(column));
  if (unknown !== undefined)
    throw new RedisRefused(
      `the key of output ${name}: ${unknown} is no column of the select: use one of ${known.join(", ")}`,
    );
  return template;
}
