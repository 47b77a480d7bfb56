/** What a person reads of topics that were lost: what is gone, how much of it, and how to say that it is known. */
import { annotation, readLostTopics, type StreamPipeline, writeLostTopics } from "@caudal/crds";
import type { LostTopic } from "./topic-identity.ts";

/** As many topics, and partitions of one, as a person reads. */
const TOPICS = 5;
const PARTITIONS = 12;
/** The shell and the API server take more; a person copies no more. */
const COMMAND_IDS = 100;

export function describeLost({ name, ids, newId, since, at, offsets, ends = [], unread = [] }: LostTopic): string {
  const old = ids.join(", then ");
  const when = since === at ? `seen at ${at}` : `${ids.length} times, seen first at ${since} and last at ${at}`;
  const known = ends.flatMap((end, partition) => (end < 0 ? [] : [`${name}/${partition} up to ${end}`]));
  const more = known.length > PARTITIONS ? ` and ${known.length - PARTITIONS} more partitions` : "";
  const size =
    offsets === undefined
      ? "; no stage reads it, or none has told how far it went, so how many records are gone is not known"
      : `; gone are the records of ${offsets} offsets (${known.slice(0, PARTITIONS).join(", ")}${more})`;
  const readers = unread.map(({ stage, offsets: left }) =>
    left === 0 ? `stage ${stage} had read all of them` : `stage ${stage} had not read ${left} of them`,
  );
  return (
    `topic ${name} was deleted and made again empty (${when}; its id was ${old} and is ${newId})${size}` +
    readers.map((text) => `, ${text}`).join("")
  );
}

/** All of them, and the command that acknowledges them together with those that were acknowledged before. */
export function describeAllLost(lost: readonly LostTopic[], pipeline: StreamPipeline): string {
  const more = lost.length > TOPICS ? `; and ${lost.length - TOPICS} more topics, which status.lostTopics names` : "";
  return (
    `${lost.slice(0, TOPICS).map(describeLost).join("; ")}${more}. Results that were made of these records stay. A stage ` +
    "that keeps its place in the old topic waits; it begins at the new one's start when the loss is acknowledged. Look who " +
    "deleted KafkaTopic or topic, let what had not been read be sent again, and acknowledge: " +
    acknowledgement(lost, pipeline)
  );
}

export function acknowledgement(lost: readonly LostTopic[], { metadata }: StreamPipeline): string {
  const all = new Map(readLostTopics(metadata.annotations?.[annotation.acknowledgeLostTopics]));
  for (const { name, ids } of lost) all.set(name, [...new Set([...(all.get(name) ?? []), ...ids])]);
  const value = writeLostTopics(all).split(",").slice(-COMMAND_IDS).join(",");
  return (
    `kubectl --namespace ${metadata.namespace} annotate --overwrite streampipeline ${metadata.name} ` +
    `${annotation.acknowledgeLostTopics}=${value}`
  );
}
