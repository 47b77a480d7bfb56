/** The ConfigMap of a stage: one file, config.json. */
import type { StreamPipeline, WorkloadConfig } from "@caudal/crds";
import { type KubeObject, resources } from "../kube/object.ts";
import { ownedMetadata } from "./metadata.ts";
import { configMapName, type StageSpec } from "@caudal/pipeline";

const FILE = "config.json";

export function buildConfigMap(
  pipeline: StreamPipeline,
  stage: StageSpec,
  config: WorkloadConfig,
  content: string,
): KubeObject {
  const name = configMapName(pipeline.metadata.name, stage.name, content);
  return {
    apiVersion: resources.configMap.apiVersion,
    kind: resources.configMap.kind,
    metadata: ownedMetadata(pipeline, name, stage),
    data: { [FILE]: `${JSON.stringify(config, null, 2)}\n` },
  };
}

/** Name of the ConfigMap that a Deployment's pods mount. */
export function mountedConfigMap(deployment: KubeObject | undefined): string | undefined {
  const template = deployment?.spec?.["template"] as { spec?: { volumes?: Volume[] } } | undefined;
  const sources = template?.spec?.volumes?.find(({ name }) => name === "config")?.projected?.sources ?? [];
  return sources.find(({ configMap }) => configMap !== undefined)?.configMap?.name;
}

interface Volume {
  readonly name: string;
  readonly projected?: { readonly sources?: readonly { readonly configMap?: { readonly name?: string } }[] };
}

/** What we wrote into a ConfigMap; of anything else, undefined. */
export function readWorkloadConfig(text: string | undefined): WorkloadConfig | undefined {
  if (text === undefined) return undefined;
  try {
    const config = JSON.parse(text) as Partial<WorkloadConfig>;
    return config.version === 1 && config.pipeline !== undefined && config.kafka !== undefined
      ? (config as WorkloadConfig)
      : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
