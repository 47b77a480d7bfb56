/** The resources that the stand-ins read and write, by kind: where the API serves them. */
export const kinds = {
  Kafka: "apis/kafka.strimzi.io/v1/kafkas",
  KafkaNodePool: "apis/kafka.strimzi.io/v1/kafkanodepools",
  KafkaTopic: "apis/kafka.strimzi.io/v1/kafkatopics",
  KafkaUser: "apis/kafka.strimzi.io/v1/kafkausers",
  Cluster: "apis/postgresql.cnpg.io/v1/clusters",
  Database: "apis/postgresql.cnpg.io/v1/databases",
  DatabaseRole: "apis/postgresql.cnpg.io/v1/databaseroles",
  StatefulSet: "apis/apps/v1/statefulsets",
  Pod: "api/v1/pods",
  PersistentVolumeClaim: "api/v1/persistentvolumeclaims",
  Service: "api/v1/services",
  ConfigMap: "api/v1/configmaps",
  Secret: "api/v1/secrets",
  Namespace: "api/v1/namespaces",
} as const;

export type Kind = keyof typeof kinds;

/** The path of a kind's collection, cluster-wide or in a namespace, or of one object in it. */
export function pathOf(kind: Kind, namespace?: string, name?: string): string {
  const full = kinds[kind];
  const cut = full.lastIndexOf("/");
  const collection =
    namespace === undefined ? full : `${full.slice(0, cut)}/namespaces/${namespace}/${full.slice(cut + 1)}`;
  return name === undefined ? `/${collection}` : `/${collection}/${name}`;
}

/** Whether a text names a kind that the client knows where to find. */
export function isKind(text: string): text is Kind {
  return text in kinds;
}
