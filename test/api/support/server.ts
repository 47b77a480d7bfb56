/** An API server with the definitions that a file of tests asks for, or the one that files share. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { parseAllDocuments } from "yaml";
import { HttpKubeClient, type KubeClient } from "../../../operator/src/kube/client.ts";
import { type KubeObject, pathOf, type Resource } from "../../../operator/src/kube/object.ts";
import { Transport } from "../../../operator/src/kube/transport.ts";
import { type ApiServer, startApiServer } from "../../cluster/index.ts";
import { eventually } from "./eventually.ts";

const root = join(import.meta.dirname, "../../..");
export const definitions = {
  caudal: join(root, "crds/generated/streampipelines.caudal.dev.yaml"),
  strimzi: join(root, "test/cluster/stand-ins/manifests/crds-strimzi.yaml"),
  cloudNativePg: join(root, "test/cluster/stand-ins/manifests/crds-cnpg.yaml"),
  podMonitors: join(import.meta.dirname, "../fixtures/podmonitor-crd.yaml"),
} as const;

/** Names the kubeconfig of the server that files share, for the processes in which tests run. */
export const SHARED_VARIABLE = "CAUDAL_TEST_API_SERVER";

const crd: Resource = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  plural: "customresourcedefinitions",
};
const namespaces: Resource = { apiVersion: "v1", kind: "Namespace", plural: "namespaces" };

/** What HTTP answered, also where it is an error. */
export interface RawAnswer {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly warnings: readonly string[];
}

export class TestServer {
  readonly client: KubeClient;
  readonly config: KubeConfig;
  readonly kubeconfigPath: string;
  /** Of this object alone; undefined where files share one. */
  readonly #server: ApiServer | undefined;
  readonly #transport: Transport;

  private constructor(kubeconfigPath: string, server?: ApiServer) {
    this.kubeconfigPath = kubeconfigPath;
    this.#server = server;
    this.config = new KubeConfig();
    this.config.loadFromFile(kubeconfigPath);
    this.#transport = new Transport(this.config, () => undefined);
    this.client = new HttpKubeClient(this.#transport);
  }

  /** The server that files share, with all definitions: for tests that keep to namespaces of their own. */
  static shared(): TestServer {
    const kubeconfigPath = process.env[SHARED_VARIABLE];
    if (kubeconfigPath === undefined) throw new TypeError(`${SHARED_VARIABLE} names no server: run the project api`);
    return new TestServer(kubeconfigPath);
  }

  /** A server of its own: for tests that change definitions, or look at all namespaces. */
  static async start(...files: readonly string[]): Promise<TestServer> {
    const started = await startApiServer();
    const server = new TestServer(started.kubeconfigPath, started);
    for (const file of [definitions.caudal, ...files]) await server.define(file);
    return server;
  }

  async stop(): Promise<void> {
    this.#transport.close();
    await this.#server?.stop();
  }

  /** Creates every CustomResourceDefinition of a file and waits until they are served. */
  async define(file: string): Promise<void> {
    for (const object of documentsIn(file)) {
      await this.send("POST", pathOf(crd, undefined), object);
      const { spec, metadata } = object as unknown as { metadata: { name: string }; spec: CrdSpec };
      const apiVersion = `${spec.group}/${spec.versions[0]?.name ?? ""}`;
      await eventually(`${metadata.name} is served`, async () => {
        const served = await this.client.discover(apiVersion);
        return served?.has(spec.names.plural) === true;
      });
      // Discovery runs ahead of the handler by a moment.
      const plain: Resource = { apiVersion, kind: spec.names.kind, plural: spec.names.plural };
      await eventually(
        `${metadata.name} answers`,
        async () => (await this.raw("GET", pathOf(plain, "default"))).status === 200,
      );
    }
  }

  /** Deletes every CustomResourceDefinition of a file, with its objects, and waits until they are gone. */
  async undefine(file: string): Promise<void> {
    for (const { metadata } of documentsIn(file)) {
      const path = pathOf(crd, undefined, metadata.name);
      await this.raw("DELETE", path);
      await eventually(`${metadata.name} is gone`, async () => (await this.raw("GET", path)).status === 404);
    }
  }

  /** A namespace of its own, so that tests do not meet. */
  async namespace(): Promise<string> {
    const { metadata } = await this.send("POST", pathOf(namespaces, undefined), {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { generateName: "test-" },
    });
    return metadata.name;
  }

  async raw(
    method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE",
    path: string,
    body?: unknown,
    options: { contentType?: string; query?: Record<string, string>; accept?: string } = {},
  ): Promise<RawAnswer> {
    const answer = await this.#transport.send({
      method,
      path,
      timeoutMs: 20_000,
      ...(options.query === undefined ? {} : { query: options.query }),
      ...(body === undefined ? {} : { body }),
      ...(options.contentType === undefined ? {} : { contentType: options.contentType }),
      ...(options.accept === undefined ? {} : { accept: options.accept }),
    });
    let text = "";
    for await (const chunk of answer.body) text += String(chunk);
    const warnings = answer.body.headers["warning"];
    return {
      status: answer.status,
      // A kind that is not served is answered in plain text.
      body: (text.startsWith("{") ? JSON.parse(text) : { message: text }) as Record<string, unknown>,
      warnings: warnings === undefined ? [] : [warnings].flat(),
    };
  }

  /** As `raw`, and an error is a failure of the test. */
  async send(...args: Parameters<TestServer["raw"]>): Promise<KubeObject> {
    const answer = await this.raw(...args);
    if (answer.status > 299)
      throw new TypeError(`${args[0]} ${args[1]}: ${answer.status} ${String(answer.body["message"])}`);
    return answer.body as unknown as KubeObject;
  }
}

interface CrdSpec {
  group: string;
  names: { plural: string; kind: string };
  versions: { name: string }[];
}

export function documentsIn(file: string): KubeObject[] {
  return parseAllDocuments(readFileSync(file, "utf8"))
    .map((document) => document.toJS() as KubeObject | null)
    .filter((object): object is KubeObject => object !== null);
}
