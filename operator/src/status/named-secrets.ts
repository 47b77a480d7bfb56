/** Stages know the folders of their Secrets; a person looks for the Secrets. */
import type { Observation, PodObservation } from "../observe/observation.ts";
import { kafkaAccessOf, secretsOf, type StageSpec } from "@caudal/pipeline";

/** @returns the pods with `Secret/name` where their errors name the folder in which that is mounted */
export function nameSecrets(
  pods: readonly PodObservation[],
  { pipeline, kafka, databaseCluster }: Pick<Observation, "pipeline" | "kafka" | "databaseCluster">,
  stage: StageSpec,
): readonly PodObservation[] {
  const names = new Map<string, string>();
  for (const { folder, name } of secretsOf(pipeline, kafkaAccessOf(pipeline, kafka), stage, databaseCluster))
    if (!names.has(folder)) names.set(folder, name);
  // A folder may begin with another's name.
  const folders = [...names].sort(([a], [b]) => b.length - a.length);
  const named = (text: string): string =>
    folders.reduce((said, [folder, name]) => said.replaceAll(folder, `Secret/${name}`), text);
  return pods.map((pod) => {
    const { status } = pod;
    if (status?.value.error === undefined) return pod;
    const error = { ...status.value.error, message: named(status.value.error.message) };
    return { ...pod, status: { ...status, value: { ...status.value, error } } };
  });
}
