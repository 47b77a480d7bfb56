/** Ports of pods on this machine, through the API server as `kubectl port-forward` does; each is opened once. */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { PortForward, type V1Pod, type V1Service } from "@kubernetes/client-node";
import { ClusterFailed } from "../errors.ts";
import { readAddress } from "./address.ts";
import { findInCluster, type Kube } from "./connect.ts";

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

interface PodPort {
  readonly pod: string;
  readonly namespace: string;
  readonly port: number;
}

const LOOPBACK = "127.0.0.1";

export class Tunnels {
  readonly #kube: Kube;
  readonly #forward: PortForward;
  readonly #open = new Map<string, Promise<HostPort>>();
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();

  constructor(kube: Kube) {
    this.#kube = kube;
    this.#forward = new PortForward(kube.config);
  }

  /**
   * Where an address of the cluster is reached from here; any other address is as it is.
   *
   * @throws ClusterFailed when there is no such Service, or no pod behind it
   */
  async reach(address: HostPort): Promise<HostPort> {
    const { namespace } = this.#kube;
    if (readAddress(address.host, namespace) === undefined) return address;
    const key = `${address.host}:${address.port}`;
    const known = this.#open.get(key);
    if (known !== undefined) return await known;
    // At once, so that what is missing is told now and not as a connection that breaks.
    await this.#podOf(address);
    const opening = this.#listen(address);
    this.#open.set(key, opening);
    return await opening;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(
      this.#servers.map(async (server) => {
        await new Promise((resolve) => server.close(resolve));
      }),
    );
  }

  async #listen(address: HostPort): Promise<HostPort> {
    const server = createServer((socket) => void this.#connect(address, socket));
    this.#servers.push(server);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, LOOPBACK, resolve);
    });
    return { host: LOOPBACK, port: (server.address() as AddressInfo).port };
  }

  /** The pod is looked for at each connection: after a restart or a failover it is another. */
  async #connect(address: HostPort, socket: Socket): Promise<void> {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    try {
      const { namespace, pod, port } = await this.#podOf(address);
      const connection = await this.#forward.portForward(namespace, pod, [port], socket, null, socket);
      const webSocket = typeof connection === "function" ? connection() : connection;
      webSocket?.on("close", () => socket.destroy());
      webSocket?.on("error", () => socket.destroy());
      socket.on("close", () => webSocket?.close());
    } catch {
      socket.destroy(); // whoever is at its other end says that the connection broke
    }
  }

  async #podOf({ host, port }: HostPort): Promise<PodPort> {
    const address = readAddress(host, this.#kube.namespace);
    if (address === undefined) throw new ClusterFailed(`${host} is no address of the cluster`);
    const { namespace, service: name, pod } = address;
    if (pod !== undefined) return { namespace, pod, port };
    const { core } = this.#kube;
    const title = `Service/${name} in namespace ${namespace}`;
    const service = await findInCluster(title, async () => await core.readNamespacedService({ namespace, name }));
    if (service === undefined) throw new ClusterFailed(`${title} does not exist: is the pipeline ready?`);
    const labelSelector = Object.entries(service.spec?.selector ?? {}).map(([key, value]) => `${key}=${value}`);
    const list = await findInCluster(
      title,
      async () => await core.listNamespacedPod({ namespace, labelSelector: labelSelector.join(",") }),
    );
    const ready = list?.items.find(isReady);
    if (ready?.metadata?.name === undefined)
      throw new ClusterFailed(`${title} has no pod that is ready: try again later`);
    return { namespace, pod: ready.metadata.name, port: targetPort(service, ready, port) };
  }
}

function isReady({ metadata, status }: V1Pod): boolean {
  return (
    metadata?.deletionTimestamp === undefined &&
    status?.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True") === true
  );
}

/** The pod's port behind a Service's, which may have a name. */
function targetPort(service: V1Service, pod: V1Pod, port: number): number {
  const target = service.spec?.ports?.find((one) => one.port === port)?.targetPort ?? port;
  if (typeof target === "number") return target;
  const ports = pod.spec?.containers.flatMap((container) => container.ports ?? []) ?? [];
  return ports.find(({ name }) => name === target)?.containerPort ?? (/^\d+$/.test(target) ? Number(target) : port);
}
