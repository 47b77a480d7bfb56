/** The brokers as the reader sees them: metadata of one topic, and connections by broker and lane. */
import type { KafkaConnection } from "@caudal/crds";
import { Connection, metadataV12 } from "@platformatic/kafka";
import { describeError } from "../runtime/errors.ts";
import { type Metrics, timed } from "../runtime/metrics.ts";
import { connectionOptions, type HostPort, parseBootstrap, type SecretFiles } from "./connection-options.ts";
import { KafkaLoginFailed, KafkaUnavailable, TopicMissing } from "./errors.ts";
import { Code, kafkaError, protocolError, withCodes } from "./protocol-errors.ts";

export interface PartitionInfo {
  readonly partition: number;
  /** Node id of the leader, -1 when there is none now. */
  readonly leader: number;
  readonly leaderEpoch: number;
}

export interface TopicInfo {
  readonly name: string;
  /** As Kafka prints it without change: a UUID in hex with dashes. Another id means another topic. */
  readonly topicId: string;
  /** By partition number, without gaps. */
  readonly partitions: readonly PartitionInfo[];
}

/** A broker answers one connection's requests in turn: what waits (for data, for a group, for replicas) has its own lane. */
export type Lane = "control" | "fetch" | "group" | "produce";

/** A broker's id from metadata, its address, or any that answers. */
export type Target = number | HostPort | "any";

/** How brokers are reached from where their addresses mean nothing, and no secret is mounted. */
export interface Way {
  /** Where a broker is, which calls itself so. */
  address(broker: HostPort): Promise<HostPort>;
  readonly secrets: SecretFiles;
}

export interface ClusterOptions {
  readonly clientId: string;
  readonly metrics: Pick<Metrics, "externalCallSeconds">;
  readonly way?: Way;
}

export class KafkaCluster {
  readonly #kafka: KafkaConnection;
  readonly #options: ClusterOptions;
  readonly #bootstrap: readonly HostPort[];
  readonly #connections = new Map<string, Promise<Connection>>();
  #brokers: ReadonlyMap<number, HostPort> = new Map();
  #turn = 0;
  #lostConnections = 0;
  #closed = false;

  /** Connects to nothing yet. @throws ConfigInvalid for a bootstrap server that is not host:port */
  constructor(kafka: KafkaConnection, options: ClusterOptions) {
    this.#kafka = kafka;
    this.#options = options;
    this.#bootstrap = parseBootstrap(kafka.bootstrapServers);
  }

  /**
   * The topic as a broker knows it now.
   *
   * @throws TopicMissing when it does not exist; KafkaUnavailable, KafkaLoginFailed, KafkaForbidden
   */
  async topic(name: string): Promise<TopicInfo> {
    const response = await this.call(
      "any",
      "control",
      "metadata",
      async (connection) => await withCodes(metadataV12.api.async(connection, [name], false, false)),
    );
    this.#brokers = new Map(response.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]));
    const topic = response.topics.find((candidate) => candidate.name === name);
    if (topic === undefined || topic.errorCode === Code.UnknownTopicOrPartition)
      throw new TopicMissing(`topic ${name} does not exist (or this user may not see it); create it, or wait for it`);
    if (topic.errorCode !== Code.None) throw protocolError(topic.errorCode, `topic ${name}`);
    const partitions = [...topic.partitions]
      .map((partition) => ({
        partition: partition.partitionIndex,
        leader: partition.leaderId,
        leaderEpoch: partition.leaderEpoch,
      }))
      .sort((one, other) => one.partition - other.partition);
    return { name, topicId: topic.topicId, partitions };
  }

  /** How many connections have ended so far: another number than before says that brokers may have been away. */
  get lostConnections(): number {
    return this.#lostConnections;
  }

  /** Node ids of the brokers, as the last answer about a topic had them. */
  get brokers(): readonly number[] {
    return [...this.#brokers.keys()];
  }

  /**
   * Sends one request to a broker and observes it.
   *
   * @throws a typed error; after one of the network, the next call connects anew
   */
  async call<T>(
    target: Target,
    lane: Lane,
    operation: string,
    send: (connection: Connection) => Promise<T>,
  ): Promise<T> {
    return await timed(this.#options.metrics, "kafka", operation, async () => {
      try {
        return await send(await this.#connection(target, lane));
      } catch (error) {
        throw this.#withLogin(kafkaError(error, operation));
      }
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const open = [...this.#connections.values()];
    this.#connections.clear();
    await Promise.allSettled(open.map(async (connection) => await (await connection).close()));
  }

  /** Of a login that is refused: whose it is, and where that is written. */
  #withLogin(error: Error): Error {
    const { sasl, bootstrapServers } = this.#kafka;
    if (!(error instanceof KafkaLoginFailed) || sasl === undefined || error.told) return error;
    const user = sasl.username === undefined ? "with the username" : `as user ${sasl.username} with the password`;
    return new KafkaLoginFailed(
      `${error.message} (${bootstrapServers.join(", ")}, ${user} of ${sasl.secret}, by ${sasl.mechanism}): correct them there, or the user in Kafka`,
      { cause: error.cause, told: true },
    );
  }

  async #connection(target: Target, lane: Lane): Promise<Connection> {
    if (target === "any") return await this.#anyConnection(lane);
    const broker = typeof target === "number" ? this.#brokers.get(target) : target;
    if (broker === undefined) throw new KafkaUnavailable(`no broker has the id ${String(target)} now`);
    return await this.#connectionTo(broker, lane);
  }

  async #anyConnection(lane: Lane): Promise<Connection> {
    const brokers = [...this.#brokers.values(), ...this.#bootstrap];
    const tried: string[] = [];
    for (let i = 0; i < brokers.length; i++) {
      const broker = brokers[(this.#turn + i) % brokers.length];
      if (broker === undefined) continue;
      try {
        return await this.#connectionTo(broker, lane);
      } catch (error) {
        tried.push(describeError(error));
        if (i === brokers.length - 1) {
          const last = kafkaError(error, "connect");
          if (!(last instanceof KafkaUnavailable)) throw this.#withLogin(last);
        }
      }
    }
    this.#turn++;
    throw new KafkaUnavailable(`no broker can be reached: ${[...new Set(tried)].join("; ")}`);
  }

  async #connectionTo({ host, port }: HostPort, lane: Lane): Promise<Connection> {
    if (this.#closed) throw new KafkaUnavailable("the connections to Kafka are closed");
    const key = `${host}:${port}/${lane}`;
    const known = this.#connections.get(key);
    if (known !== undefined) return await known;
    const opening = this.#open(host, port, () => {
      if (this.#connections.get(key) !== opening) return;
      this.#connections.delete(key);
      this.#lostConnections++;
    });
    this.#connections.set(key, opening);
    return await opening;
  }

  async #open(host: string, port: number, gone: () => void): Promise<Connection> {
    try {
      const { clientId, way } = this.#options;
      const at = (await way?.address({ host, port })) ?? { host, port };
      const connection = new Connection(clientId, connectionOptions(this.#kafka, host, way?.secrets));
      // Requests in flight reject by themselves; without a listener the event would end the process.
      connection.on("error", gone).on("close", gone).on("timeout", gone).on("closing", gone);
      await connection.connect(at.host, at.port);
      return connection;
    } catch (error) {
      gone();
      throw error;
    }
  }
}
