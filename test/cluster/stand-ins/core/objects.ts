/** The shape that all Kubernetes objects share, and the names that both stand-ins give. */
export interface Metadata {
  name: string;
  namespace?: string;
  uid?: string;
  generation?: number;
  resourceVersion?: string;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
}

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
}

export interface KubeObject<Spec = object, Status = object> {
  apiVersion: string;
  kind: string;
  metadata: Metadata;
  spec?: Spec;
  status?: Status;
}

export interface Secret extends KubeObject {
  type?: string;
  data?: Record<string, string>;
  stringData?: Record<string, string>;
}

export type StatefulSet = KubeObject<
  Record<string, unknown>,
  { readyReplicas?: number; updateRevision?: string; currentRevision?: string; observedGeneration?: number }
>;

/** Every object that a stand-in makes carries this label, so that nobody takes it for the real operator's. */
export const managedBy = { "app.kubernetes.io/managed-by": "caudal-stand-ins" };

/** Identifies a namespaced object within its kind. */
export function keyOf(metadata: Metadata): string {
  return `${metadata.namespace ?? ""}/${metadata.name}`;
}

/** An object's namespace; the stand-ins deal in namespaced objects only. */
export function namespaceOf(object: KubeObject): string {
  return object.metadata.namespace ?? "default";
}

/** The reference by which the garbage collector removes what belongs to a deleted object. */
export function ownedBy(owner: KubeObject): OwnerReference {
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid ?? "",
    controller: true,
  };
}

/** A secret's value as text, or undefined when the key is absent. */
export function secretText(secret: Secret | undefined, key: string): string | undefined {
  const encoded = secret?.data?.[key];
  return encoded === undefined ? undefined : Buffer.from(encoded, "base64").toString("utf8");
}

/** Structural equality of JSON values; keys with the value undefined count as absent. */
export function sameJson(left: unknown, right: unknown): boolean {
  return JSON.stringify(sorted(left)) === JSON.stringify(sorted(right));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}
