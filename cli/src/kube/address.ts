/** Addresses that mean something inside a cluster alone. */

/** A name of the cluster's DNS, in one of its forms: `service`, `service.namespace.svc`, `pod.service.namespace.svc`. */
export interface ClusterAddress {
  readonly namespace: string;
  readonly service: string;
  readonly pod?: string;
}

/**
 * @param namespace in which a name alone is a Service
 * @returns undefined for an address that is none of the cluster's names, such as one of the internet
 */
export function readAddress(host: string, namespace: string): ClusterAddress | undefined {
  const parts = host.replace(/\.$/, "").split(".");
  const svc = parts.indexOf("svc");
  const names = svc < 0 ? parts : parts.slice(0, svc);
  const [first = "", second, third] = names;
  if (/^\d+$/.test(first)) return undefined;
  if (svc >= 0 && third !== undefined && second !== undefined && names.length === 3)
    return { namespace: third, service: second, pod: first };
  if (svc >= 0 && second !== undefined && names.length === 2) return { namespace: second, service: first };
  if (svc < 0 && parts.length === 1 && first !== "localhost") return { namespace, service: first };
  return undefined;
}
