/** Fills the topic once for all engines, and writes the same events to a file, from which the exact answer comes. */
import { open } from "node:fs/promises";
import { partitionOf } from "@caudal/workloads/kafka/core/murmur2";
import type { Progress } from "../cluster/host/progress.ts";
import { BenchFailed } from "./errors.ts";
import { EPOCH_MS, eventMaker, type EventShape, SENTINEL, sentinelValue, userName } from "./events.ts";
import { openSender } from "./sender.ts";
import type { Topics } from "./topics.ts";

export interface LoadOptions {
  readonly topic: string;
  readonly partitions: number;
  readonly events: number;
  readonly shape: EventShape;
  /** Where the events are written, one line each, without the sentinels. */
  readonly file: string;
}

export interface Loaded extends LoadOptions {
  /** Records in the topic: the events and one sentinel a partition. */
  readonly records: number;
  /** Bytes of an event's JSON. */
  readonly meanBytes: number;
}

const LINES_AT_ONCE = 20_000;
const SAY_EVERY_MS = 10_000;

/** Where each user's events go, as Kafka's own clients would put them. */
export function partitionsOfUsers(users: number, partitions: number): Int32Array {
  return Int32Array.from({ length: users }, (_, user) => partitionOf(Buffer.from(userName(user)), partitions));
}

/** Makes the topic that {@link fill} fills; the events' times are long past, and they stay. */
export async function createTopic(topics: Topics, { topic, partitions }: LoadOptions): Promise<void> {
  await topics.create(topic, partitions, { "retention.ms": "-1" });
}

/**
 * Makes the topic and fills it.
 *
 * @throws BenchFailed when the topic holds more or less than was sent
 */
export async function load(
  bootstrap: string,
  topics: Topics,
  options: LoadOptions,
  progress: Progress,
): Promise<Loaded> {
  await createTopic(topics, options);
  return await fill(bootstrap, topics, options, progress);
}

/** @throws BenchFailed when the topic holds more or less than was sent */
export async function fill(
  bootstrap: string,
  topics: Topics,
  options: LoadOptions,
  progress: Progress,
): Promise<Loaded> {
  const { topic, partitions, events, shape, file } = options;
  const sender = openSender(bootstrap, topic, progress.say);
  const output = await open(file, "w");
  const records = events + partitions;
  let bytes = 0;
  try {
    const make = eventMaker(shape);
    const places = partitionsOfUsers(shape.users, partitions);
    const names = Array.from({ length: shape.users }, (_, user) => userName(user));
    let lines: string[] = [];
    let said = performance.now();
    for (let i = 0; i < events; i++) {
      const { user, time, value } = make(EPOCH_MS + Math.floor((i / events) * shape.spanMs), EPOCH_MS);
      sender.add(places[user] ?? 0, time, names[user] ?? "", value);
      lines.push(value);
      if (lines.length < LINES_AT_ONCE && i + 1 < events) continue;
      const text = Buffer.from(`${lines.join("\n")}\n`, "latin1");
      bytes += text.length - lines.length;
      lines = [];
      await Promise.all([output.write(text), sender.sendFull()]);
      if (performance.now() - said < SAY_EVERY_MS) continue;
      said = performance.now();
      progress.say(`loaded ${(i + 1).toLocaleString("en")} of ${events.toLocaleString("en")} events`);
    }
    for (let partition = 0; partition < partitions; partition++)
      sender.add(partition, EPOCH_MS + SENTINEL.afterMs, SENTINEL.user, sentinelValue(shape, partition));
    await sender.flush();
  } finally {
    await output.close();
    await sender.close();
  }
  const length = await topics.length(topic);
  if (length !== records) throw new BenchFailed(`the topic has ${length} records, and ${records} were sent`);
  return { ...options, records, meanBytes: bytes / events };
}
