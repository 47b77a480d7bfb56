/** A namespace of one run on the cluster that KUBECONFIG names, and what the contract asks of it. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { KubeConfig, PortForward } from "@kubernetes/client-node";
import { parseAllDocuments } from "yaml";
import type { Condition } from "../cluster/stand-ins/core/conditions.ts";
import { secretText } from "../cluster/stand-ins/core/objects.ts";
import type { KubeObject, Secret } from "../cluster/stand-ins/core/objects.ts";
import { KubeClient } from "../cluster/stand-ins/kube/client.ts";
import { pathOf } from "../cluster/stand-ins/kube/kinds.ts";
import type { Kind } from "../cluster/stand-ins/kube/kinds.ts";

/** The contract could not be checked, or was not kept in time. */
export class ContractError extends Error {
  readonly code = "Contract";
}

/** An object with any status; what the contract says of it is asserted by the tests. */
export type Observed = KubeObject<
  Record<string, unknown>,
  { conditions?: Condition[]; observedGeneration?: number; applied?: boolean; message?: string } & Record<
    string,
    unknown
  >
>;

/** Pods as far as the contract looks at them. */
export type Pod = KubeObject<object, { conditions?: Condition[] }>;

/** Asks again until there is an answer; what was last seen goes into the error. */
export async function until<T>(what: string, ask: () => Promise<T | undefined>, seconds = 120): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  let last: unknown;
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) {
      const cause = last === undefined ? {} : { cause: last };
      throw new ContractError(
        `after ${String(seconds)} s still not: ${what}${last === undefined ? "" : ` (${String(last)})`}`,
        cause,
      );
    }
    await pause(250);
  }
}

/** The condition of a type, if the object has it. */
export function condition(object: Observed | undefined, type: string): Condition | undefined {
  return object?.status?.conditions?.find((one) => one.type === type);
}

/** Ready means: so it says, and of the newest generation. */
export function isReady(object: Observed): boolean {
  return (
    condition(object, "Ready")?.status === "True" && object.status?.observedGeneration === object.metadata.generation
  );
}

export class TestNamespace {
  readonly name: string;
  readonly client: KubeClient;
  readonly #config: KubeConfig;
  readonly #servers: Server[] = [];

  private constructor(config: KubeConfig, name: string) {
    this.#config = config;
    this.client = new KubeClient(config);
    this.name = name;
  }

  /** Makes a namespace of a random name. */
  static async create(purpose: string): Promise<TestNamespace> {
    const file = process.env["KUBECONFIG"];
    if (file === undefined)
      throw new ContractError("set KUBECONFIG to a cluster with the stand-ins or the real operators");
    const config = new KubeConfig();
    config.loadFromFile(file);
    const namespace = new TestNamespace(config, `contract-${purpose}-${randomBytes(3).toString("hex")}`);
    await namespace.client.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace.name } });
    return namespace;
  }

  /** Removes what the run has made, in the order that the real operators need, and checks that it ends. */
  async remove(order: readonly Kind[]): Promise<void> {
    for (const server of this.#servers) server.close();
    for (const kind of order) {
      const left = async () => (await this.client.list<Observed>(pathOf(kind, this.name))).items;
      for (const { metadata } of await left()) await this.client.delete(kind, this.name, metadata.name);
      await until(`all of ${kind} gone`, async () => ((await left()).length === 0 ? true : undefined));
    }
    await this.client.delete("Namespace", undefined, this.name);
    const path = `${pathOf("Namespace")}`;
    const query = { fieldSelector: `metadata.name=${this.name}` };
    const gone = async () => ((await this.client.list(path, query)).items.length === 0 ? true : undefined);
    await until(`namespace ${this.name} gone`, gone, 180);
  }

  /** Makes the objects of a YAML text be as written, in this namespace. */
  async apply(yaml: string): Promise<void> {
    for (const document of parseAllDocuments(yaml)) {
      const object = document.toJS() as KubeObject;
      await this.client.apply({ ...object, metadata: { ...object.metadata, namespace: this.name } });
    }
  }

  async get(kind: Kind, name: string): Promise<Observed | undefined> {
    return this.client.get<Observed>(kind, this.name, name);
  }

  /** Waits until an object is as wanted. */
  async when(
    kind: Kind,
    name: string,
    what: string,
    wanted: (object: Observed) => boolean,
    seconds?: number,
  ): Promise<Observed> {
    let last: Observed | undefined;
    const ask = async () => {
      last = await this.get(kind, name);
      return last !== undefined && wanted(last) ? last : undefined;
    };
    return until(`${kind} ${name} ${what}`, ask, seconds).catch((error: unknown) => {
      throw new ContractError(`${String(error)}; its status: ${JSON.stringify(last?.status)}`, { cause: error });
    });
  }

  async whenReady(kind: Kind, name: string, seconds?: number): Promise<Observed> {
    return this.when(kind, name, "ready", isReady, seconds);
  }

  async whenGone(kind: Kind, name: string): Promise<void> {
    await until(`${kind} ${name} gone`, async () => ((await this.get(kind, name)) === undefined ? true : undefined));
  }

  async delete(kind: Kind, name: string): Promise<void> {
    await this.client.delete(kind, this.name, name);
  }

  /** A secret's values as text; undefined when there is no such secret. */
  async secret(name: string): Promise<Record<string, string> | undefined> {
    const secret = await this.client.get<Secret>("Secret", this.name, name);
    if (secret === undefined) return undefined;
    return Object.fromEntries(Object.keys(secret.data ?? {}).map((key) => [key, secretText(secret, key) ?? ""]));
  }

  /** The one ready pod with the labels. */
  async pod(labels: string, seconds = 120): Promise<Pod> {
    return until(
      `a ready pod of ${labels}`,
      async () => {
        const { items } = await this.client.list<Pod>(pathOf("Pod", this.name), { labelSelector: labels });
        return items.find(
          ({ metadata, status }) =>
            metadata.deletionTimestamp === undefined &&
            status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True"),
        );
      },
      seconds,
    );
  }

  /** Deletes the one pod with the labels and waits for its successor. */
  async restart(labels: string): Promise<void> {
    const before = await this.pod(labels);
    await this.client.delete("Pod", this.name, before.metadata.name);
    await until("another pod", async () => {
      const now = await this.pod(labels);
      return now.metadata.uid === before.metadata.uid ? undefined : true;
    });
  }

  /** A port on loopback whose connections end at a port of the one ready pod with the labels. */
  async forward(labels: string, port: number): Promise<number> {
    const forward = new PortForward(this.#config);
    const server = createServer((socket) => {
      socket.on("error", () => socket.destroy());
      this.pod(labels)
        .then(({ metadata }) => forward.portForward(this.name, metadata.name, [port], socket, null, socket))
        .catch((error: unknown) => socket.destroy(error instanceof Error ? error : undefined));
    }).listen(0, "127.0.0.1");
    this.#servers.push(server);
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  }
}
