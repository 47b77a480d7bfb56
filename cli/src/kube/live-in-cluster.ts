/** A pipeline of a cluster: its resource, its Kafka and its database, through the API server alone. */
import { basename, dirname, join } from "node:path";
import { PatchStrategy } from "@kubernetes/client-node";
import { API_VERSION, GROUP, KIND, path, PLURAL, type StreamPipeline, VERSION } from "@caudal/crds";
import {
  type KafkaAccess,
  kafkaAccessOf,
  databaseCaSecretOf,
  databaseClusterOf,
  databaseSecretOf,
} from "@caudal/pipeline";
import { type DatabaseSecret, trustOf } from "@caudal/workloads/postgres/secret";
import { ClusterFailed, UsageError } from "../errors.ts";
import type { KafkaWay, Live } from "../live/live.ts";
import { clusterError, findInCluster, type Kube } from "./connect.ts";
import { Tunnels } from "./tunnels.ts";

const CLOUD_NATIVE_PG = { group: "postgresql.cnpg.io", version: "v1", plural: "clusters" } as const;
const STRIMZI = { group: "kafka.strimzi.io", version: "v1", plural: "kafkas" } as const;

export async function listPipelines({ custom, namespace }: Kube): Promise<readonly StreamPipeline[]> {
  const list = await findInCluster(
    "StreamPipelines",
    async () =>
      (await custom.listNamespacedCustomObject({ group: GROUP, version: VERSION, plural: PLURAL, namespace })) as {
        readonly items: readonly StreamPipeline[];
      },
  );
  if (list === undefined) throw new ClusterFailed("the cluster does not know StreamPipelines: install Caudal first");
  return list.items;
}

/** The pipeline of a name, or the only one of the namespace. @throws UsageError when it is not clear which */
export async function choosePipeline(kube: Kube, name: string | undefined): Promise<string> {
  if (name !== undefined) return name;
  const names = (await listPipelines(kube)).map(({ metadata }) => metadata.name);
  const [only, ...others] = names;
  if (only === undefined)
    throw new UsageError(`namespace ${kube.namespace} has no pipeline: choose another with --namespace`);
  if (others.length > 0)
    throw new UsageError(`namespace ${kube.namespace} has the pipelines ${names.join(", ")}: name one of them`);
  return only;
}

export class LiveInCluster implements Live {
  readonly #kube: Kube;
  readonly #name: string;
  readonly #tunnels: Tunnels;

  constructor(kube: Kube, name: string) {
    this.#kube = kube;
    this.#name = name;
    this.#tunnels = new Tunnels(kube);
  }

  async pipeline(): Promise<StreamPipeline> {
    const { custom, namespace } = this.#kube;
    const name = this.#name;
    const found = await findInCluster(
      `StreamPipeline/${name}`,
      async () =>
        (await custom.getNamespacedCustomObject({
          ...{ group: GROUP, version: VERSION, plural: PLURAL },
          ...{ namespace, name },
        })) as StreamPipeline,
    );
    if (found !== undefined) return found;
    const names = (await listPipelines(this.#kube)).map(({ metadata }) => metadata.name).join(", ");
    throw new ClusterFailed(
      `namespace ${namespace} has no pipeline ${name}${names === "" ? ", nor any other" : `: it has ${names}`}; choose another namespace with --namespace`,
    );
  }

  async pipelines(): Promise<readonly StreamPipeline[]> {
    return await listPipelines(this.#kube);
  }

  async kafka(): Promise<KafkaWay> {
    const pipeline = await this.pipeline();
    const access = kafkaAccessOf(pipeline, await this.#findKafka(pipeline));
    const { connection } = access;
    if (connection === undefined) throw new ClusterFailed(access.message);
    const secrets = await this.#readSecrets(access);
    return {
      connection,
      way: {
        address: async (broker) => await this.#tunnels.reach(broker),
        secrets: {
          read: (file) => {
            const value = secrets.get(file);
            if (value === undefined) throw new ClusterFailed(`no Secret of the pipeline has the key of ${file}`);
            return value;
          },
          names: (folder) =>
            [...secrets.keys()].filter((file) => dirname(file) === folder).map((file) => basename(file)),
        },
      },
    };
  }

  async database(): Promise<DatabaseSecret | undefined> {
    const pipeline = await this.pipeline();
    const name = databaseSecretOf(pipeline);
    if (name === undefined) return undefined;
    const data = await this.#readSecret(name);
    const [host, port, database, user, password] = ["host", "port", "dbname", "username", "password"].map((key) => {
      const value = data.get(key);
      if (value === undefined) throw new ClusterFailed(`Secret/${name} has no key ${key}`);
      return value;
    }) as [string, string, string, string, string];
    const ca = databaseCaSecretOf(pipeline, await this.#findCluster(pipeline));
    const trust = trustOf(
      data.get("sslmode"),
      ca === undefined ? undefined : (await this.#readSecret(ca)).get("ca.crt"),
    );
    const reached = await this.#tunnels.reach({ host, port: Number(port) });
    return { ...reached, database, user, password, serverName: host, ...trust };
  }

  async apply(manager: string, spec: Readonly<Record<string, unknown>>): Promise<void> {
    const { objects, namespace } = this.#kube;
    const object = { apiVersion: API_VERSION, kind: KIND, metadata: { name: this.#name, namespace }, spec };
    try {
      await objects.patch(object, undefined, undefined, manager, false, PatchStrategy.ServerSideApply);
    } catch (error) {
      throw clusterError(`StreamPipeline/${this.#name}`, error);
    }
  }

  async managers(): Promise<readonly string[]> {
    const { metadata } = await this.pipeline();
    const { managedFields = [] } = metadata as { readonly managedFields?: readonly { readonly manager?: string }[] };
    return managedFields.flatMap(({ manager }) => manager ?? []);
  }

  async close(): Promise<void> {
    await this.#tunnels.close();
  }

  async #findKafka({ spec }: StreamPipeline): Promise<Parameters<typeof kafkaAccessOf>[1]> {
    const name = spec.kafka.clusterRef?.name;
    if (name === undefined) return undefined;
    const { custom, namespace } = this.#kube;
    return (await findInCluster(
      `Kafka/${name}`,
      async () => await custom.getNamespacedCustomObject({ ...STRIMZI, namespace, name }),
    )) as Parameters<typeof kafkaAccessOf>[1];
  }

  async #findCluster(pipeline: StreamPipeline): Promise<Parameters<typeof databaseCaSecretOf>[1]> {
    const name = databaseClusterOf(pipeline);
    if (name === undefined) return undefined;
    const { custom, namespace } = this.#kube;
    return (await findInCluster(
      `Cluster/${name}`,
      async () => await custom.getNamespacedCustomObject({ ...CLOUD_NATIVE_PG, namespace, name }),
    )) as Parameters<typeof databaseCaSecretOf>[1];
  }

  /** By file, as a workload finds them. */
  async #readSecrets({ userSecret, caSecret }: KafkaAccess): Promise<ReadonlyMap<string, string>> {
    const files = new Map<string, string>();
    for (const [secret, folder] of [
      [userSecret, path.kafkaUser],
      [caSecret, path.kafkaCa],
    ] as const)
      if (secret !== undefined)
        for (const [key, value] of await this.#readSecret(secret.name)) files.set(join(folder, key), value);
    return files;
  }

  async #readSecret(name: string): Promise<ReadonlyMap<string, string>> {
    const { core, namespace } = this.#kube;
    const secret = await findInCluster(
      `Secret/${name}`,
      async () => await core.readNamespacedSecret({ namespace, name }),
    );
    if (secret === undefined) throw new ClusterFailed(`Secret/${name} does not exist yet: is the pipeline ready?`);
    const data = Object.entries(secret.data ?? {});
    return new Map(data.map(([key, value]) => [key, Buffer.from(value, "base64").toString()]));
  }
}
