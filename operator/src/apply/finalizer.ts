/** Our finalizer: there only while something outside must be deleted with the pipeline. */
import { FINALIZER, type StreamPipeline } from "@caudal/crds";
import type { KubeClient } from "../kube/client.ts";
import { type KubeObject, resources } from "../kube/object.ts";

export function hasFinalizer({ metadata }: StreamPipeline): boolean {
  return metadata.finalizers?.includes(FINALIZER) === true;
}

/** Adds or removes it; a conflict says that somebody else has changed the pipeline meanwhile. */
export async function setFinalizer(client: KubeClient, pipeline: StreamPipeline, wanted: boolean): Promise<KubeObject> {
  const { finalizers = [], uid, resourceVersion } = pipeline.metadata;
  const others = finalizers.filter((name) => name !== FINALIZER);
  return await client.patch(resources.streamPipeline, pipeline.metadata, {
    metadata: { uid, resourceVersion, finalizers: wanted ? [...others, FINALIZER] : others },
  });
}
