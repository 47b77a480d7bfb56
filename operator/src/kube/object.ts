/** Objects of the Kubernetes API as data, and the kinds that the operator reads or writes. */
import { API_VERSION, KIND, PLURAL } from "@caudal/crds";

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

export interface Metadata {
  name: string;
  namespace: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
}

export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: Metadata;
  spec?: Record<string, unknown>;
  status?: Record<string, unknown>;
  [field: string]: unknown;
}

/** A kind, by what its URL is made of. */
export interface Resource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
}

const resource = (apiVersion: string, kind: string, plural: string): Resource => ({ apiVersion, kind, plural });

export const resources = {
  streamPipeline: resource(API_VERSION, KIND, PLURAL),
  deployment: resource("apps/v1", "Deployment", "deployments"),
  configMap: resource("v1", "ConfigMap", "configmaps"),
  service: resource("v1", "Service", "services"),
  secret: resource("v1", "Secret", "secrets"),
  pod: resource("v1", "Pod", "pods"),
  podDisruptionBudget: resource("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
  podMonitor: resource("monitoring.coreos.com/v1", "PodMonitor", "podmonitors"),
  kafka: resource("kafka.strimzi.io/v1", "Kafka", "kafkas"),
  kafkaTopic: resource("kafka.strimzi.io/v1", "KafkaTopic", "kafkatopics"),
  kafkaUser: resource("kafka.strimzi.io/v1", "KafkaUser", "kafkausers"),
  databaseCluster: resource("postgresql.cnpg.io/v1", "Cluster", "clusters"),
  database: resource("postgresql.cnpg.io/v1", "Database", "databases"),
  databaseRole: resource("postgresql.cnpg.io/v1", "DatabaseRole", "databaseroles"),
  lease: resource("coordination.k8s.io/v1", "Lease", "leases"),
  event: resource("events.k8s.io/v1", "Event", "events"),
} as const;

const byKind = new Map<string, Resource>(Object.values(resources).map((entry) => [entry.kind, entry]));

/** The resource of an object that the operator planned. */
export function resourceOf(object: { kind: string }): Resource {
  const found = byKind.get(object.kind);
  if (found === undefined) throw new TypeError(`the operator knows no kind ${object.kind}`);
  return found;
}

/** What a message calls an object: `KafkaTopic/app-events`. */
export function titleOf(object: { kind: string; metadata: { name: string } }): string {
  return `${object.kind}/${object.metadata.name}`;
}

/** The URL path of a collection, or of one object in it. */
export function pathOf(resource: Resource, namespace: string | undefined, name?: string): string {
  const root = resource.apiVersion.includes("/") ? `/apis/${resource.apiVersion}` : `/api/${resource.apiVersion}`;
  const scope = namespace === undefined ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${root}${scope}/${resource.plural}${name === undefined ? "" : `/${encodeURIComponent(name)}`}`;
}
