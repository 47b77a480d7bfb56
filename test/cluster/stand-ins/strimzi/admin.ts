import { pbkdf2Sync, randomBytes } from "node:crypto";
import {
  Connection,
  MultipleErrors,
  alterUserScramCredentialsV0,
  createAclsV3,
  createPartitionsV3,
  createTopicsV7,
  deleteAclsV3,
  deleteTopicsV6,
  describeAclsV3,
  describeConfigsV4,
  describeUserScramCredentialsV0,
  incrementalAlterConfigsV1,
  metadataV12,
} from "@platformatic/kafka";
import { adminPort, adminUser } from "./core/broker-config.ts";
import type { Acl } from "./core/acls.ts";
import type { TopicState } from "./core/topics.ts";

const timeoutMs = 8_000;
const topicResource = 2;
const dynamicTopicConfig = 1;
const scramSha512 = 2;
const anyValue = 1;

/** What the broker refused, in its own words. */
export class BrokerRefusal extends Error {
  readonly code = "KafkaError";
}

/** The administrative requests that the stand-in makes of one broker, over one connection. */
export class Admin {
  readonly #connection: Connection;

  private constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Connects and logs in. */
  static async open(host: string, password: string): Promise<Admin> {
    const sasl = { mechanism: "PLAIN" as const, username: adminUser, password };
    const connection = new Connection("caudal-stand-ins", { connectTimeout: 3_000, requestTimeout: timeoutMs, sasl });
    await connection.connect(host, adminPort);
    return new Admin(connection);
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  /** The cluster's id, and every topic of clients with the settings of its own. */
  async describe(): Promise<{ clusterId: string; topics: Map<string, TopicState> }> {
    const metadata = await metadataV12.api.async(this.#connection, null, false, false);
    const topics = metadata.topics.filter(({ isInternal, errorCode }) => !isInternal && errorCode === 0);
    const resources = topics.map(({ name }) => ({ resourceType: topicResource, resourceName: name ?? "" }) as const);
    const described =
      resources.length === 0
        ? []
        : (await describeConfigsV4.api.async(this.#connection, resources, false, false)).results;
    const configs = new Map(
      described.map(({ resourceName, configs: entries }) => [
        resourceName,
        Object.fromEntries(
          entries
            .filter(({ configSource }) => configSource === dynamicTopicConfig)
            .map(({ name, value }) => [name, value ?? ""]),
        ),
      ]),
    );
    const states = topics.map(({ name, topicId, partitions }): [string, TopicState] => [
      name ?? "",
      {
        id: shortId(topicId),
        partitions: partitions.length,
        replicas: partitions[0]?.replicaNodes.length ?? 0,
        config: configs.get(name ?? "") ?? {},
      },
    ]);
    return { clusterId: metadata.clusterId ?? "", topics: new Map(states) };
  }

  /** Makes a topic and returns its id; -1 stands for the broker's default. */
  async createTopic(
    name: string,
    partitions: number,
    replicas: number,
    config: Record<string, string>,
  ): Promise<string> {
    const configs = Object.entries(config).map(([key, value]) => ({ name: key, value }));
    const topic = { name, numPartitions: partitions, replicationFactor: replicas, assignments: [], configs };
    const answer = await asked(createTopicsV7.api.async(this.#connection, [topic], timeoutMs, false));
    return shortId(answer.topics[0]?.topicId ?? "");
  }

  async addPartitions(name: string, count: number): Promise<void> {
    await asked(createPartitionsV3.api.async(this.#connection, [{ name, count, assignments: null }], timeoutMs, false));
  }

  /** Sets and unsets settings of a topic in one request. */
  async alterConfig(name: string, set: Record<string, string>, unset: readonly string[]): Promise<void> {
    const configs = [
      ...Object.entries(set).map(([key, value]) => ({ name: key, configOperation: 0 as const, value })),
      ...unset.map((key) => ({ name: key, configOperation: 1 as const })),
    ];
    const resource = { resourceType: topicResource, resourceName: name, configs } as const;
    await asked(incrementalAlterConfigsV1.api.async(this.#connection, [resource], false));
  }

  async deleteTopic(name: string): Promise<void> {
    await asked(deleteTopicsV6.api.async(this.#connection, [{ name }], timeoutMs));
  }

  /** The names of all users with SCRAM-SHA-512 credentials. */
  async scramUsers(): Promise<string[]> {
    const { results } = await asked(describeUserScramCredentialsV0.api.async(this.#connection, null));
    return results.map(({ user }) => user).sort();
  }

  async setPassword(user: string, password: string): Promise<void> {
    const salt = randomBytes(24);
    const iterations = 4096;
    const saltedPassword = pbkdf2Sync(password, salt, iterations, 64, "sha512");
    const change = { name: user, mechanism: scramSha512, iterations, salt, saltedPassword };
    await asked(alterUserScramCredentialsV0.api.async(this.#connection, [], [change]));
  }

  async removeUser(name: string): Promise<void> {
    await asked(alterUserScramCredentialsV0.api.async(this.#connection, [{ name, mechanism: scramSha512 }], []));
  }

  /** All rules of named users; those for everybody are nobody's to manage. */
  async acls(): Promise<Acl[]> {
    const filter = {
      resourceType: anyValue,
      resourceName: null,
      resourcePatternType: anyValue,
      principal: null,
      host: null,
      operation: anyValue,
      permissionType: anyValue,
    } as const;
    const { resources } = await asked(describeAclsV3.api.async(this.#connection, filter));
    return resources
      .flatMap(({ acls, ...target }) => acls.map((permission) => ({ ...target, ...permission }) as Acl))
      .filter(({ principal }) => principal !== "User:*");
  }

  async changeAcls(create: Acl[], remove: Acl[]): Promise<void> {
    if (create.length > 0) await asked(createAclsV3.api.async(this.#connection, create));
    if (remove.length > 0) await asked(deleteAclsV3.api.async(this.#connection, remove));
  }
}

/** Turns what the broker refused into its words; a lost connection stays what it is. */
async function asked<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof MultipleErrors)) throw error;
    const words = error.errors.map(
      (one: Error & { serverErrorMessage?: string | null }) => one.serverErrorMessage ?? one.message,
    );
    throw new BrokerRefusal(words.join("; "), { cause: error });
  }
}

/** Kafka writes its ids as unpadded URL-safe base64 of the 16 bytes. */
function shortId(uuid: string): string {
  return Buffer.from(uuid.replaceAll("-", ""), "hex").toString("base64url");
}
