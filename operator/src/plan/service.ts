/** The headless Service of a stage: names for its pods' HTTP port. */
import { HTTP_PORT, type StreamPipeline } from "@caudal/crds";
import { type KubeObject, resources } from "../kube/object.ts";
import { ownedMetadata } from "./metadata.ts";
import { childName, selectorOf, type StageIdentity } from "@caudal/pipeline";

export function buildService(pipeline: StreamPipeline, stage: StageIdentity): KubeObject {
  return {
    apiVersion: resources.service.apiVersion,
    kind: resources.service.kind,
    metadata: ownedMetadata(pipeline, childName(pipeline.metadata.name, stage.name), stage),
    spec: {
      clusterIP: "None",
      publishNotReadyAddresses: true,
      selector: selectorOf(pipeline.metadata.name, stage),
      ports: [{ name: "http", port: HTTP_PORT, targetPort: "http", protocol: "TCP" }],
    },
  };
}
