/** The kinds that a plan holds, and how they differ. */

/** What stands first is written first; kinds that hold data before the workloads that use them. */
export const writeOrder: readonly string[] = [
  "KafkaTopic",
  "KafkaUser",
  "Cluster",
  "DatabaseRole",
  "Database",
  "ConfigMap",
  "Service",
  "PodDisruptionBudget",
  "Deployment",
  "PodMonitor",
];

/** Holds data: never pruned, released instead. */
export function holdsData(object: { kind: string }): boolean {
  return ["KafkaTopic", "Cluster", "Database", "DatabaseRole"].includes(object.kind);
}
