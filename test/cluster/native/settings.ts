/** What one native cluster is called and which addresses it has: pure, so that two clusters provably never collide. */

export interface NodeSettings {
  /** Distinguishes this cluster on the host. */
  readonly id: string;
  readonly nodeName: string;
  /** The host's end and the node's end of the link between them. */
  readonly hostIp: string;
  readonly nodeIp: string;
  readonly podCidr: string;
  readonly serviceCidr: string;
  readonly apiServiceIp: string;
  readonly dnsIp: string;
  /** The host's name of the link. */
  readonly link: string;
  /** Path of the cgroup below which all pods run. */
  readonly cgroup: string;
  readonly snapshotter: "overlayfs" | "native";
  /** Folder of the cluster and of the Kubernetes binaries, as seen on the host. */
  readonly clusterDir: string;
  readonly binaryDir: string;
}

/** Where the node's processes see the cluster's folder: short, as paths of Unix sockets have to be. */
export const nodeRoot = "/run/caudal";
export const containerdSocket = `${nodeRoot}/containerd.sock`;
export const slots = 16;

/** The addresses of slot 0, 1, …: parts of the ranges that Kubernetes clusters commonly use. */
export function addresses(
  slot: number,
): Omit<NodeSettings, "id" | "snapshotter" | "clusterDir" | "binaryDir" | "link" | "cgroup"> {
  const services = `10.96.${slot * 16}`;
  return {
    nodeName: "caudal",
    hostIp: `10.99.${slot}.1`,
    nodeIp: `10.99.${slot}.2`,
    podCidr: `10.244.${slot}.0/24`,
    serviceCidr: `${services}.0/20`,
    apiServiceIp: `${services}.1`,
    dnsIp: `${services}.10`,
  };
}

/** The first slot whose link's network no route of the host (`ip -4 route`) uses yet; undefined if all are taken. */
export function freeSlot(routes: string): number | undefined {
  const taken = new Set(routes.split("\n").map((line) => line.split(/[ /]/, 1)[0]));
  const free = (slot: number): boolean =>
    [`10.99.${slot}.0`, `10.244.${slot}.0`, `10.96.${slot * 16}.0`].every((network) => !taken.has(network));
  return Array.from({ length: slots }, (_, slot) => slot).find(free);
}

export function nodeSettings(
  id: string,
  slot: number,
  places: Pick<NodeSettings, "clusterDir" | "binaryDir" | "snapshotter">,
): NodeSettings {
  return { id, ...addresses(slot), link: `caudal${id}`.slice(0, 15), cgroup: `/caudal-${id}`, ...places };
}
