/** Given a pipeline, when something happens, expect: the language of the tests of the operator on an API server. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { pino } from "pino";
import { parse } from "yaml";
import type { Condition, StageStatus, StreamPipeline } from "@caudal/crds";
import type { OperatorConfig } from "../../../operator/src/config.ts";
import { Metrics } from "../../../operator/src/controller/metrics.ts";
import type { PodAnswer } from "../../../operator/src/observe/ask-stage.ts";
import { type KubeObject, pathOf, type Resource, resources } from "../../../operator/src/kube/object.ts";
import { Operator, type OperatorOptions } from "../../../operator/src/operator.ts";
import { eventually } from "./eventually.ts";
import type { TestServer } from "./server.ts";

const example = join(import.meta.dirname, "../../../examples/app-events/pipeline.yaml");

/** Kinds that the operator writes. */
export const written: readonly Resource[] = [
  resources.kafkaTopic,
  resources.kafkaUser,
  resources.databaseCluster,
  resources.databaseRole,
  resources.database,
  resources.configMap,
  resources.service,
  resources.podDisruptionBudget,
  resources.deployment,
  resources.podMonitor,
];

type Spec = StreamPipeline["spec"];

export class World {
  readonly server: TestServer;
  readonly namespace: string;
  readonly #operators: Operator[] = [];

  private constructor(server: TestServer, namespace: string) {
    this.server = server;
    this.namespace = namespace;
  }

  static async create(server: TestServer): Promise<World> {
    return new World(server, await server.namespace());
  }

  /** Starts an operator for this namespace alone. */
  async operator(options: Partial<OperatorOptions> & Partial<OperatorConfig> = {}): Promise<Operator> {
    const config: OperatorConfig = {
      workloadImage: "caudal/workloads:test",
      imagePullPolicy: "IfNotPresent",
      imagePullSecrets: [],
      namespaces: options.namespaces ?? [this.namespace],
      ownNamespace: this.namespace,
      identity: options.identity ?? "operator-1",
      leaderElection: options.leaderElection ?? true,
      leaseName: options.leaseName ?? "caudal-operator",
      hmacSecretName: options.hmacSecretName ?? "caudal-operator-hmac-key",
      port: 0,
      workers: 2,
      resyncMs: 1_000,
      logLevel: "silent",
      workloadEnv: {},
    };
    const operator = new Operator({
      config,
      client: this.server.client,
      metrics: new Metrics(),
      log: pino({ level: process.env["LOG_LEVEL"] ?? "silent" }),
      askSql: async () => ({ problems: [], transforms: [] }),
      askStage: async () => answerOf(healthyStage()),
      discoverEveryMs: 300,
      askEveryMs: 200,
      leaseDurationMs: 3_000,
      ...options,
    });
    this.#operators.push(operator);
    await operator.start();
    return operator;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#operators.splice(0).map((operator) => operator.stop()));
  }

  async apply(name: string, change: (spec: Spec) => void = () => undefined): Promise<StreamPipeline> {
    const pipeline = parse(readFileSync(example, "utf8")) as { metadata: object; spec: Spec };
    change(pipeline.spec);
    return (await this.server.send(
      "PATCH",
      pathOf(resources.streamPipeline, this.namespace, name),
      { ...pipeline, metadata: { name, namespace: this.namespace } },
      { contentType: "application/apply-patch+yaml", query: { fieldManager: "person", force: "true" } },
    )) as unknown as StreamPipeline;
  }

  async create(object: Omit<KubeObject, "metadata"> & { metadata: { name: string } }, resource: Resource) {
    const metadata = { ...object.metadata, namespace: this.namespace };
    return await this.server.send("POST", pathOf(resource, this.namespace), { ...object, metadata });
  }

  async get(resource: Resource, name: string): Promise<KubeObject | undefined> {
    return await this.server.client.get(resource, this.namespace, name);
  }

  async need(resource: Resource, name: string): Promise<KubeObject> {
    const object = await this.get(resource, name);
    if (object === undefined) throw new TypeError(`${resource.kind}/${name} does not exist`);
    return object;
  }

  async list(resource: Resource): Promise<KubeObject[]> {
    const answer = await this.server.raw("GET", pathOf(resource, this.namespace));
    const items = (answer.body["items"] ?? []) as KubeObject[];
    return items.map((item) => ({ ...item, apiVersion: resource.apiVersion, kind: resource.kind }));
  }

  /** Everything that the operator wrote here, as `Kind/name`, sorted. */
  async children(): Promise<Map<string, KubeObject>> {
    const found = new Map<string, KubeObject>();
    for (const resource of written)
      for (const object of await this.list(resource))
        if (object.metadata.labels?.["caudal.dev/pipeline"] !== undefined)
          found.set(`${object.kind}/${object.metadata.name}`, object);
    return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  async pipeline(name: string): Promise<StreamPipeline> {
    return (await this.need(resources.streamPipeline, name)) as unknown as StreamPipeline;
  }

  async condition(name: string, type: string): Promise<Condition | undefined> {
    return (await this.pipeline(name)).status?.conditions?.find((condition) => condition.type === type);
  }

  async expectCondition(
    name: string,
    type: string,
    status: string,
    reason?: string,
    seconds?: number,
  ): Promise<Condition> {
    let last: Condition | undefined;
    await eventually(
      `${type} of ${name} is ${status} ${reason ?? ""}`,
      async () => {
        last = await this.condition(name, type);
        if (last?.status === status && (reason === undefined || last.reason === reason)) return true;
        throw new TypeError(`it is ${last?.status ?? "absent"} ${last?.reason ?? ""}: ${last?.message ?? ""}`);
      },
      seconds,
    );
    if (last === undefined) throw new TypeError("unreachable");
    return last;
  }

  async patch(resource: Resource, name: string, patch: unknown, subresource?: "status"): Promise<KubeObject> {
    const path = pathOf(resource, this.namespace, name) + (subresource === undefined ? "" : `/${subresource}`);
    return await this.server.send("PATCH", path, patch, { contentType: "application/merge-patch+json" });
  }

  async remove(resource: Resource, name: string): Promise<void> {
    await this.server.raw("DELETE", pathOf(resource, this.namespace, name));
  }

  /** A Kafka with listeners plain and scram (TLS, SCRAM, ACLs), as Strimzi would show it. */
  async kafka(name = "platform"): Promise<void> {
    await this.create(
      {
        apiVersion: resources.kafka.apiVersion,
        kind: "Kafka",
        metadata: { name },
        spec: {
          kafka: {
            listeners: [
              { name: "plain", port: 9092, type: "internal", tls: false },
              { name: "scram", port: 9093, type: "internal", tls: true, authentication: { type: "scram-sha-512" } },
            ],
            authorization: { type: "simple" },
          },
        },
      },
      resources.kafka,
    );
    const listeners = ["plain", "scram"].map((listener, index) => ({
      name: listener,
      bootstrapServers: `${name}-kafka-bootstrap.${this.namespace}.svc:${9092 + index}`,
    }));
    const conditions = [{ type: "Ready", status: "True" }];
    await this.patch(resources.kafka, name, { status: { conditions, observedGeneration: 1, listeners } }, "status");
  }

  async secret(name: string, stringData: Record<string, string>): Promise<void> {
    const object = { apiVersion: "v1", kind: "Secret", metadata: { name }, type: "Opaque", stringData };
    await this.create(object, resources.secret);
  }

  /** The Secrets that CloudNativePG makes for a pipeline's Cluster. */
  async appSecret(pipeline: string): Promise<void> {
    await this.secret(`${pipeline}-db-app`, database());
    await this.authority(`${pipeline}-db`);
  }

  /** A Cluster `shared` of somebody else's, for `clusterRef`. */
  async sharedCluster(): Promise<void> {
    const spec = { instances: 1, storage: { size: "1Gi" } };
    const { apiVersion } = resources.databaseCluster;
    await this.create({ apiVersion, kind: "Cluster", metadata: { name: "shared" }, spec }, resources.databaseCluster);
    await this.authority("shared");
  }

  /** The Secret of the authority that CloudNativePG makes for a Cluster. */
  async authority(cluster: string): Promise<void> {
    await this.secret(`${cluster}-ca`, { "ca.crt": "certificates", "ca.key": "never mounted" });
  }

  /** Does what Strimzi, CloudNativePG and the Deployment controller would do: everything that exists becomes ready. */
  async settle(): Promise<void> {
    const ready = [{ type: "Ready", status: "True" }];
    const statuses: [Resource, (object: KubeObject) => unknown][] = [
      [resources.kafkaTopic, ({ metadata }) => ({ conditions: ready, observedGeneration: metadata.generation })],
      [resources.kafkaUser, ({ metadata }) => ({ conditions: ready, observedGeneration: metadata.generation })],
      [resources.databaseCluster, () => ({ conditions: ready, phase: "Cluster in healthy state" })],
      [resources.database, ({ metadata }) => ({ applied: true, observedGeneration: metadata.generation })],
      [resources.databaseRole, ({ metadata }) => ({ applied: true, observedGeneration: metadata.generation })],
      [resources.deployment, rolledOut],
    ];
    for (const [resource, statusOf] of statuses)
      for (const object of await this.list(resource)) {
        const status = statusOf(object);
        if (isDeepStrictEqual(object.status, status)) continue;
        await this.patch(resource, object.metadata.name, { status }, "status");
      }
  }

  /** A running pod of a stage. */
  async pod(pipeline: string, stage: string, name = `${pipeline}-${stage}-pod`): Promise<void> {
    const labels = { "caudal.dev/pipeline": pipeline, "caudal.dev/stage": stage };
    const metadata = { name, labels };
    const spec = { containers: [{ name: "stage", image: "caudal/workloads:test" }] };
    await this.create({ apiVersion: "v1", kind: "Pod", metadata, spec }, resources.pod);
    const conditions = [{ type: "Ready", status: "True" }];
    const status = { phase: "Running", podIP: "127.0.0.1", podIPs: [{ ip: "127.0.0.1" }], conditions };
    await this.patch(resources.pod, name, { status }, "status");
  }

  /** The example, ready in every respect. */
  async ready(name: string, change?: (spec: Spec) => void): Promise<void> {
    await this.kafka();
    await this.appSecret(name);
    await this.apply(name, change);
    await eventually("all children exist", async () => (await this.list(resources.deployment)).length === 2);
    await this.settle();
    await this.pod(name, "events");
    await this.pod(name, "metrics");
    await this.expectCondition(name, "Ready", "True");
  }
}

/** Adds a source of the table `public.customers` in cdc mode, with the Secret `shop`. */
export function cdcSource(spec: Spec): void {
  spec.topics.push({
    name: "psg-customers",
    managed: true,
    fields: [
      { name: "id", type: "integer", nullable: false },
      { name: "name", type: "string", nullable: true },
    ],
  });
  const connectionSecretRef = { name: "shop" };
  spec.sources = [
    {
      name: "customers",
      topic: "psg-customers",
      postgres: { connectionSecretRef, table: "public.customers", mode: "cdc", resync: 0 },
    },
  ];
}

export function database(): Record<string, string> {
  return { host: "db-rw", port: "5432", dbname: "events", username: "app", password: "first" };
}

function rolledOut({ metadata, spec = {} }: KubeObject): unknown {
  const replicas = Number(spec["replicas"]);
  return {
    observedGeneration: metadata.generation,
    replicas,
    updatedReplicas: replicas,
    readyReplicas: replicas,
    availableReplicas: replicas,
  };
}

/** As a pod sends it. */
export function answerOf(body: StageStatus): PodAnswer {
  return { body, bytes: JSON.stringify(body).length };
}

export function healthyStage(change: Partial<StageStatus> = {}): StageStatus {
  return {
    generation: 1,
    state: "Running",
    heartbeat: Date.now(),
    events: 10,
    deadLetters: 0,
    lateEvents: 0,
    partitions: [{ topic: "app-events", partition: 0, nextOffset: 90, endOffset: 100, idle: false }],
    ...change,
  };
}
