/** Which local volumes to make and which to give back, given what is claimed: pure. */

interface Meta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly deletionTimestamp?: string;
}

export interface Claim {
  readonly metadata: Meta;
  readonly spec: {
    readonly storageClassName?: string;
    readonly volumeName?: string;
    readonly volumeMode?: string;
    readonly accessModes?: readonly string[];
    readonly resources?: { readonly requests?: { readonly storage?: string } };
  };
}

export interface Volume {
  readonly metadata: Meta;
  readonly spec: {
    readonly storageClassName?: string;
    readonly persistentVolumeReclaimPolicy?: string;
    readonly local?: { readonly path: string };
    readonly [more: string]: unknown;
  };
  readonly status?: { readonly phase?: string };
}

export interface VolumePlan {
  readonly make: readonly Volume[];
  readonly remove: readonly Volume[];
}

export const storageClass = "standard";
export const provisioner = "caudal.dev/local-folder";
const madeBy = "pv.kubernetes.io/provisioned-by";
const selectedNode = "volume.kubernetes.io/selected-node";

function volumeFor(claim: Claim, node: string, folder: string): Volume {
  const { name, namespace = "default", uid = "" } = claim.metadata;
  return {
    metadata: { name: `pvc-${uid}`, annotations: { [madeBy]: provisioner } },
    spec: {
      storageClassName: storageClass,
      persistentVolumeReclaimPolicy: "Delete",
      accessModes: claim.spec.accessModes ?? ["ReadWriteOnce"],
      capacity: { storage: claim.spec.resources?.requests?.storage ?? "1Gi" },
      claimRef: { apiVersion: "v1", kind: "PersistentVolumeClaim", name, namespace, uid },
      local: { path: `${folder}/${namespace}_${name}_${uid}` },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: [node] }] },
          ],
        },
      },
    },
  };
}

/** A volume for each claim whose pod has found its node; none any more for those whose claim is gone. */
export function planVolumes(
  claims: readonly Claim[],
  volumes: readonly Volume[],
  node: string,
  folder: string,
): VolumePlan {
  const existing = new Set(volumes.map((volume) => volume.metadata.name));
  const make = claims
    .filter((claim) => claim.spec.storageClassName === storageClass && claim.spec.volumeName === undefined)
    .filter((claim) => claim.metadata.deletionTimestamp === undefined && claim.spec.volumeMode !== "Block")
    .filter((claim) => claim.metadata.annotations?.[selectedNode] === node)
    .map((claim) => volumeFor(claim, node, folder))
    .filter((volume) => !existing.has(volume.metadata.name));
  const remove = volumes
    .filter((volume) => volume.metadata.annotations?.[madeBy] === provisioner)
    .filter((volume) => volume.status?.phase === "Released" && volume.metadata.deletionTimestamp === undefined)
    .filter((volume) => volume.spec.persistentVolumeReclaimPolicy === "Delete");
  return { make, remove };
}
