/** The stand-ins for Strimzi and CloudNativePG: one process, all namespaces, for development clusters only. */
import { createServer } from "node:http";
import { KubeConfig } from "@kubernetes/client-node";
import { pino } from "pino";
import { clusterLabel as postgresLabel } from "./cnpg/core/types.ts";
import type { Database, DatabaseRole } from "./cnpg/core/types.ts";
import { reconcileCluster } from "./cnpg/reconcile.ts";
import type { Context } from "./context.ts";
import { keyOf } from "./core/objects.ts";
import type { KubeObject } from "./core/objects.ts";
import { ApiError, KubeClient } from "./kube/client.ts";
import type { Kind } from "./kube/kinds.ts";
import { KeyedQueue } from "./kube/queue.ts";
import { Store } from "./kube/store.ts";
import { reconcileKafka } from "./strimzi/reconcile.ts";
import { clusterLabel as kafkaLabel } from "./strimzi/core/types.ts";
import type { KafkaNodePool } from "./strimzi/core/types.ts";

const port = 8080;
/** Bookmarks come at least every minute or so; well past that, a store is deaf. */
const deafMs = 600_000;

const log = pino({ name: "stand-ins", level: process.env["LOG_LEVEL"] ?? "info" });
const config = new KubeConfig();
config.loadFromDefault();
const client = new KubeClient(config);
const stop = new AbortController();

const kafkaQueue = new KeyedQueue((key) => reconcileKafka(context, key), onFailure("Kafka"));
const clusterQueue = new KeyedQueue((key) => reconcileCluster(context, key), onFailure("Cluster"));

const addKafka = (object: KubeObject, name: string | undefined) => {
  if (name !== undefined) kafkaQueue.add(`${object.metadata.namespace ?? ""}/${name}`);
};
const addCluster = (object: KubeObject, name: string | undefined) => {
  if (name !== undefined) clusterQueue.add(`${object.metadata.namespace ?? ""}/${name}`);
};
const byKafkaLabel = (object: KubeObject) => addKafka(object, object.metadata.labels?.[kafkaLabel]);
const ofCluster = (object: KubeObject<{ cluster: { name: string } }>) => addCluster(object, object.spec?.cluster.name);

const context: Context = {
  client,
  log,
  kafkas: store("Kafka", (object) => kafkaQueue.add(keyOf(object.metadata))),
  pools: store<KafkaNodePool>("KafkaNodePool", byKafkaLabel),
  topics: store("KafkaTopic", byKafkaLabel),
  users: store("KafkaUser", byKafkaLabel),
  clusters: store("Cluster", (object) => clusterQueue.add(keyOf(object.metadata))),
  databases: store<Database>("Database", ofCluster),
  roles: store<DatabaseRole>("DatabaseRole", ofCluster),
  secrets: store("Secret", ({ metadata }) => {
    const namespace = metadata.namespace ?? "";
    for (const kafka of context.kafkas.inNamespace(namespace)) kafkaQueue.add(keyOf(kafka.metadata));
    for (const cluster of context.clusters.inNamespace(namespace)) clusterQueue.add(keyOf(cluster.metadata));
  }),
  statefulSets: store("StatefulSet", (object) => {
    byKafkaLabel(object);
    addCluster(object, object.metadata.labels?.[postgresLabel]);
  }),
};

const stores = Object.values(context).filter((value) => value instanceof Store);
const following = stores.map((one) => one.run(stop.signal));

/** The first reconciles wait until every store has been read. */
const opening = setInterval(() => {
  if (!stores.every(({ synced }) => synced)) return;
  clearInterval(opening);
  log.info({ kinds: stores.map(({ kind }) => kind) }, "stand-ins for Strimzi and CloudNativePG at work");
  kafkaQueue.open();
  clusterQueue.open();
}, 50);

const server = createServer((request, response) => {
  const ready = stores.every(({ synced }) => synced);
  const alive = stores.every(({ heardAt }) => heardAt === 0 || Date.now() - heardAt < deafMs);
  response.writeHead((request.url === "/readyz" ? ready : alive) ? 200 : 503).end();
}).listen(port);

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    log.info({ signal }, "leaving");
    stop.abort();
    clearInterval(opening);
    kafkaQueue.close();
    clusterQueue.close();
    server.close();
    void Promise.race([Promise.all(following), new Promise((resolve) => setTimeout(resolve, 2_000))]).then(() =>
      process.exit(0),
    );
  });
}

function store<T extends KubeObject>(kind: Kind, onChange: (object: T) => void): Store<T> {
  return new Store<T>(kind, client, onChange, (error) => log.warn({ kind, error: String(error) }, "watch"));
}

/** Two writers met: the newer object is on its way here, and the work is done again with it. */
function onFailure(kind: Kind): (key: string, error: unknown) => void {
  return (key, error) => {
    const conflict = error instanceof ApiError && (error.statusCode === 409 || error.statusCode === 404);
    log[conflict ? "debug" : "warn"]({ kind, key, error: String(error) }, "to be tried again");
  };
}
