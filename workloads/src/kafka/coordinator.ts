/** The broker that is in charge of one consumer group or of one transactional id: found when asked, and again after a failure. */
import { type Connection, findCoordinatorV4 } from "@platformatic/kafka";
import type { KafkaCluster, Lane } from "./cluster.ts";
import type { HostPort } from "./connection-options.ts";
import { KafkaUnavailable } from "./errors.ts";
import { Code, protocolError, withCodes } from "./protocol-errors.ts";

const KEY_TYPES = { group: 0, "transactional id": 1 } as const;

export class Coordinator {
  readonly #cluster: KafkaCluster;
  readonly #of: keyof typeof KEY_TYPES;
  readonly #key: string;
  readonly #lane: Lane;
  #place: HostPort | undefined;

  /** @param lane of its requests: those of a group's members wait for each other */
  constructor(cluster: KafkaCluster, of: keyof typeof KEY_TYPES, key: string, lane: Lane) {
    this.#cluster = cluster;
    this.#of = of;
    this.#key = key;
    this.#lane = lane;
  }

  /** Sends a request. The answer may hold error codes; after those that say that it has moved, call {@link forget}. */
  async ask<T>(operation: string, request: (connection: Connection) => Promise<T>): Promise<T> {
    try {
      this.#place ??= await this.#find();
      return await this.#cluster.call(
        this.#place,
        this.#lane,
        operation,
        async (connection) => await withCodes(request(connection)),
      );
    } catch (error) {
      this.forget();
      throw error;
    }
  }

  /** It is looked for again at the next request. */
  forget(): void {
    this.#place = undefined;
  }

  async #find(): Promise<HostPort> {
    const answer = await this.#cluster.call(
      "any",
      "control",
      "find_coordinator",
      async (connection) => await withCodes(findCoordinatorV4.api.async(connection, KEY_TYPES[this.#of], [this.#key])),
    );
    const found = answer.coordinators[0];
    if (found === undefined) throw new KafkaUnavailable(`no broker coordinates the ${this.#of} ${this.#key} now`);
    if (found.errorCode !== Code.None)
      throw protocolError(found.errorCode, `coordinator of the ${this.#of} ${this.#key}`);
    return { host: found.host, port: found.port };
  }
}
