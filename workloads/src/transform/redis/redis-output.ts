/** Events into Redis: each becomes a key, and the offset up to which they have stands beside them. */
import { keyOf, type KeyTemplate, parseKeyTemplate } from "@caudal/crds";
import { TopicRecreated } from "../../kafka/errors.ts";
import type { Owner } from "../../postgres/core/table-decision.ts";
import { OutputRefused } from "../errors.ts";
import type { Output, OutputBatch, OutputColumn, OutputMove, Position, Source } from "../output.ts";
import { textsOf, type TextAt } from "../texts.ts";
import { RedisConnection, type RedisConnectionOptions } from "./connection.ts";
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

/** One script does no more, so that others who use this Redis wait for milliseconds only. */
const ROWS_A_SCRIPT = 2_000;
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

  async positions(source: Source, _assignee: unknown, starts: ReadonlyMap<number, number>): Promise<Position[]> {
    const { owner, plan } = this.#options;
    const connection = await this.#connected();
    return await Promise.all(
      [...starts].map(async ([partition, start]) => {
        const args = [owner.uid, source.topicId, plan, String(start)];
        const answer = await connection.begin(this.#progressKey(source, partition), args);
        const [next, epoch, uid, topicId, stored, replaced] = answer.map(String);
        if (replaced === "1")
          throw new RedisRefused(
            `a pipeline ${owner.pipeline} with uid ${uid} has taken the place of this one, which has ${owner.uid}`,
          );
        if (topicId !== source.topicId) throw new TopicRecreated(source.topic, topicId ?? "", source.topicId);
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
    const writes = this.#scripts(source, batch);
    const connection = await this.#connected();
    const moved = await Promise.all(writes.map(async ({ key, args }) => await connection.write(key, args)));
    if (moved.includes(false))
      throw new RedisProgressMoved(
        `progress of output ${this.#options.name} in Redis is not where it was left: someone else has moved it, or Redis has lost it`,
      );
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
    return `caudal:progress:${owner.pipeline}/${owner.stage}/${name}:${topic}:${partition}`;
  }

  /** A script, or a chain of them, for each partition that moves. */
  #scripts(source: Source, batch: OutputBatch): { readonly key: string; readonly args: readonly string[] }[] {
    const rows = rowsByPartition(batch);
    const keys = this.#keys(batch);
    const write = this.#rowWriter(batch);
    return batch.moves.flatMap((move) => {
      const own = rows.get(move.partition) ?? [];
      return steps(move, own, batch.offsets).map(({ step, from, to }) => {
        const args = this.#head(source, step);
        // Of events with the same key the last one stays: only that one is sent.
        const last = new Map(own.slice(from, to).map((row) => [keys(row), row]));
        for (const [key, row] of last) write(args, key, row);
        return { key: this.#progressKey(source, move.partition), args };
      });
    });
  }

  #head({ topicId }: Source, { from, to, fromEpoch, toEpoch }: OutputMove): string[] {
    const { owner, plan, as, ttlMs } = this.#options;
    return [owner.uid, topicId, plan, ...[from, fromEpoch, to, toEpoch].map(String), as, String(ttlMs)];
  }

  /** @throws OutputRefused for a row without a key */
  #keys({ columns }: OutputBatch): (row: number) => string {
    const texts = this.#template.columns.map((name) => {
      const index = this.#options.columns.findIndex((column) => column.name === name);
      return this.#texts(columns, index);
    });
    return (row) => {
      const key = keyOf(
        this.#template,
        texts.map((text) => text(row)),
      );
      if (key === undefined)
        throw new OutputRefused(`the key ${this.#options.key} needs ${this.#template.columns.join(", ")}: one is NULL`);
      if (Buffer.byteLength(key) > KEY_BYTES)
        throw new OutputRefused(`the key ${key.slice(0, 64)}… is longer than ${KEY_BYTES} bytes`);
      return key;
    };
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
    return textsOf(column, this.#options.columns[index]?.duckdbType ?? "VARCHAR");
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

function rowsByPartition({ count, partitions }: OutputBatch): ReadonlyMap<number, readonly number[]> {
  const rows = new Map<number, number[]>();
  for (let row = 0; row < count; row++) {
    const partition = partitions[row] as number;
    const own = rows.get(partition);
    if (own === undefined) rows.set(partition, [row]);
    else own.push(row);
  }
  return rows;
}

/** Cuts a move into steps of at most {@link ROWS_A_SCRIPT} rows each. @param rows of the partition, in offset order */
function steps(
  move: OutputMove,
  rows: readonly number[],
  offsets: Float64Array,
): { readonly step: OutputMove; readonly from: number; readonly to: number }[] {
  const cuts = Array.from({ length: Math.max(1, Math.ceil(rows.length / ROWS_A_SCRIPT)) }, (_, i) => i * ROWS_A_SCRIPT);
  const offsetAt = (index: number): number => offsets[rows[index] as number] as number;
  return cuts.map((from, i) => {
    const next = cuts[i + 1];
    const step = {
      ...move,
      ...(from === 0 ? {} : { from: offsetAt(from), fromEpoch: move.toEpoch }),
      ...(next === undefined ? {} : { to: offsetAt(next) }),
    };
    return { step, from, to: next ?? rows.length };
  });
}
