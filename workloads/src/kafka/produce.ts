/** The Produce request: record batches as bytes. */
import { type Connection, produceV9, Writer } from "@platformatic/kafka";
import { KafkaUnavailable } from "./errors.ts";

const PRODUCE = 0;
const VERSION = 9;
const ALL_REPLICAS = -1;
const REPLICAS_TIMEOUT_MS = 20_000;

/**
 * Sends one batch to each partition of a topic, to the broker that leads them.
 *
 * @param transactionalId of the transaction that they belong to, null for none
 * @returns the answer, in which each partition has an error code; acknowledged by all in-sync replicas where that is 0
 */
export async function produce(
  connection: Connection,
  transactionalId: string | null,
  topic: string,
  records: readonly { readonly partition: number; readonly bytes: Buffer }[],
): Promise<produceV9.ProduceResponse> {
  return await new Promise((resolve, reject) => {
    connection.send(
      PRODUCE,
      VERSION,
      () =>
        Writer.create()
          .appendString(transactionalId)
          .appendInt16(ALL_REPLICAS)
          .appendInt32(REPLICAS_TIMEOUT_MS)
          .appendArray([topic], (writer, name) => {
            writer.appendString(name).appendArray([...records], (part, { partition, bytes }) => {
              part
                .appendInt32(partition)
                .appendUnsignedVarInt(bytes.length + 1)
                .append(bytes);
            });
          })
          .appendTaggedFields(),
      produceV9.parseResponse,
      true,
      true,
      (error, response) => {
        if (response !== undefined && response !== null) resolve(response);
        else reject(error ?? new KafkaUnavailable("produce: an empty answer"));
      },
    );
  });
}
