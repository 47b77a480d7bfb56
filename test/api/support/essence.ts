/** What must be the same whatever happened on the way: objects without what the API server gives. */
import type { KubeObject } from "../../../operator/src/kube/object.ts";

/** Differ from run to run: identity, the hashes of what holds an identity, and which generation wrote what it needed no more. */
const volatile = new Set([
  "uid",
  "config.json",
  "caudal.dev/config-hash",
  "caudal.dev/generation",
  "clusterIP",
  "clusterIPs",
]);

/** @param namespace in which they lie: its name does not count */
export function essence(objects: Iterable<KubeObject>, namespace: string): unknown[] {
  const text = (value: unknown) =>
    JSON.stringify(value, (key, entry: unknown) => (volatile.has(key) ? undefined : entry));
  return [...objects].map((object) => {
    const { metadata, status: _status, ...rest } = object;
    const { labels, annotations, ownerReferences, name } = metadata;
    const { "caudal.dev/owner": _owner, "caudal.dev/applied": _applied, ...kept } = annotations ?? {};
    const owned = ownerReferences?.length ?? 0;
    const plain = text({ ...rest, name, labels, kept, owned }).replaceAll(namespace, "<namespace>");
    // Names end in the hash of what holds an identity.
    return JSON.parse(plain.replaceAll(/-[0-9a-f]{8}(?=")/g, "-#")) as unknown;
  });
}
