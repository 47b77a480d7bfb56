/** The names that every part agrees on: the API group, labels, annotations, ports and paths. */

export const GROUP = "caudal.dev";
export const VERSION = "v1alpha1";
export const API_VERSION = `${GROUP}/${VERSION}`;
export const KIND = "StreamPipeline";
export const PLURAL = "streampipelines";

/** Field manager of every server-side apply, and the value of `app.kubernetes.io/managed-by`. */
export const MANAGER = "caudal";

export const label = {
  pipeline: `${GROUP}/pipeline`,
  stage: `${GROUP}/stage`,
  role: `${GROUP}/role`,
  /** Set on topics and databases that left the spec and were kept. */
  released: `${GROUP}/released`,
} as const;

export const annotation = {
  /** "true" on an object that is not ours lets a pipeline take it over; it is retained ever after. */
  adopt: `${GROUP}/adopt`,
  /** The pipeline's generation for which an object was planned; a plan never overwrites a newer stamp. */
  generation: `${GROUP}/generation`,
  /** On a pipeline: `topic=id[,topic=id…]`, ids of topics that were lost, of which a person says that they are gone. */
  acknowledgeLostTopics: `${GROUP}/acknowledge-lost-topics`,
  /** uid of the owning pipeline on objects without ownerReferences. */
  owner: `${GROUP}/owner`,
  /** "true" on an object that was taken over by `adopt`. */
  adopted: `${GROUP}/adopted`,
  /** Hash of the configuration and of the secrets that a pod template uses: a change rolls it. */
  configHash: `${GROUP}/config-hash`,
} as const;

export const FINALIZER = `${GROUP}/cleanup`;

/** Where a workload finds what the operator gives it. */
export const path = {
  config: "/etc/caudal/config.json",
  /** One file per key of CloudNativePG's `-app` secret: host, port, dbname, username, password (others ignored). */
  database: "/etc/caudal/database",
  /** The same files of the database that a source reads. */
  source: "/etc/caudal/source",
  /** One file: `password` of SASL. */
  kafkaUser: "/etc/caudal/kafka-user",
  /** One file: the certificate authority of the brokers, PEM. */
  /** A volume of its own: the Secret's keys have names that nobody knows before. */
  kafkaCa: "/etc/caudal-kafka-ca",
  /** A volume that the stage writes files to, in a folder of its claim's name. */
  volume: (claim: string): string => `/var/lib/caudal/volumes/${claim}`,
  /** Keys of another secret that the stage names, one file each, in a folder of its name. */
  secret: (name: string): string => `/etc/caudal/secrets/${name}`,
} as const;

/** The one HTTP port of operator and workloads: /metrics, /livez, /readyz and, of workloads, /status. */
export const HTTP_PORT = 8080;

/** Columns that every table has besides its groups and aggregates. */
export const RESERVED_COLUMNS = ["window_start", "window_end", "revision", "updated_at"] as const;

/** Columns that PostgreSQL has in every table: no other may be called so. */
export const SYSTEM_COLUMNS = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"] as const;

/** Name of a stage's dead-letter topic unless the spec names another: of its pipeline too, for a Kafka serves many. */
export function defaultDeadLetterTopic(pipeline: string, stage: string): string {
  return `${pipeline}-${stage}-dlq`;
}
