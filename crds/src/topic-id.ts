/**
 * The id that Kafka gives a topic when it is made: another id under the same name is another topic. Kafka's tools and
 * Strimzi write its 16 bytes in base64 for URLs, the protocol's clients as a UUID.
 */

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const BASE64 = /^[A-Za-z0-9_-]{22}$/;
/** Names that Kafka takes: what else stands in their place is shown in no command. */
const TOPIC = /^[A-Za-z0-9._-]{1,249}$/;

/** In Kafka's own form, as `kafka-topics.sh --describe` prints it. @returns undefined for what is no id in either form */
export function topicIdText(id: string): string | undefined {
  if (UUID.test(id)) return Buffer.from(id.replaceAll("-", ""), "hex").toString("base64url");
  return BASE64.test(id) ? id : undefined;
}

/** As a UUID. @returns undefined for what is no id in either form */
export function topicIdUuid(id: string): string | undefined {
  const text = topicIdText(id);
  if (text === undefined) return undefined;
  const hex = Buffer.from(text, "base64url").toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/**
 * Reads `topic=id[,topic=id…]`, ids in either form. @returns ids in Kafka's own form by topic, in the order of writing;
 * what is of another form says nothing
 */
export function readLostTopics(text: string | undefined): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const part of (text ?? "").split(",")) {
    const [topic = "", written = ""] = part.split("=").map((piece) => piece.trim());
    const id = topicIdText(written);
    if (!TOPIC.test(topic) || id === undefined) continue;
    const ids = found.get(topic) ?? [];
    if (!ids.includes(id)) found.set(topic, [...ids, id]);
  }
  return found;
}

export function writeLostTopics(lost: ReadonlyMap<string, readonly string[]>): string {
  return [...lost].flatMap(([topic, ids]) => ids.map((id) => `${topic}=${id}`)).join(",");
}
