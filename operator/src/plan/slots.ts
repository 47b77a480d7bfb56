/** Replication slots of cdc sources: outside of the cluster, and kept by a database until somebody removes them. */
import { path, type StreamPipeline } from "@caudal/crds";
import type { KubeObject } from "../kube/object.ts";
import { readWorkloadConfig } from "./config-map.ts";
import { slotName } from "@caudal/pipeline";

export interface Slot {
  /** Of the slot and of its publication. */
  readonly name: string;
  /** Secret of the database that has it. */
  readonly secret: string;
  /** Secret of the authority of that database. */
  readonly caSecret?: string | undefined;
}

/** Those that the pipeline's stages use. */
export function slotsOf({ metadata, spec }: Pick<StreamPipeline, "metadata" | "spec">): Slot[] {
  return (spec.sources ?? []).flatMap(({ name, postgres: { mode, connectionSecretRef, caSecretRef, table } }) =>
    mode === "cdc"
      ? {
          name: slotName(metadata.namespace, metadata.name, name, connectionSecretRef.name, table),
          secret: connectionSecretRef.name,
          ...(caSecretRef === undefined ? {} : { caSecret: caSecretRef.name }),
        }
      : [],
  );
}

const SECRETS = path.secret("");

/** The slot that a stage of this ConfigMap used: its record, also when the stage has left the spec. */
export function slotOfConfigMap(object: KubeObject): Slot | undefined {
  if (object.kind !== "ConfigMap") return undefined;
  const data = object["data"] as Record<string, string> | undefined;
  const postgres = readWorkloadConfig(data?.["config.json"])?.source?.postgres;
  if (postgres?.mode !== "cdc" || !postgres.secret.startsWith(SECRETS)) return undefined;
  const { slot, secret, caSecret } = postgres;
  return { name: slot, secret: secret.slice(SECRETS.length), ...(caSecret === undefined ? {} : { caSecret }) };
}
