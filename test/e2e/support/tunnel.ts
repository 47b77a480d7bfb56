/** TCP from this process to a port of a pod, through the API server as `kubectl port-forward` does; survives the pod's restarts. */
import { type AddressInfo, createServer, type Socket } from "node:net";
import { KubeConfig, PortForward } from "@kubernetes/client-node";
import { kubeconfig } from "./kube.ts";

export interface Tunnel {
  /** On 127.0.0.1. */
  readonly port: number;
  close(): Promise<void>;
}

/**
 * @param pod gives the name of the pod to connect to, asked at each connection
 * @param port of the pod
 */
export async function openTunnel(namespace: string, pod: () => Promise<string>, port: number): Promise<Tunnel> {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const forward = new PortForward(config);
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    socket.on("error", () => socket.destroy());
    pod()
      .then((name) => forward.portForward(namespace, name, [port], socket, null, socket))
      .then((connection) => {
        const webSocket = typeof connection === "function" ? connection() : connection;
        webSocket?.on("close", () => socket.destroy());
        webSocket?.on("error", () => socket.destroy());
        socket.on("close", () => webSocket?.close());
      })
      .catch(() => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        for (const socket of open) socket.destroy();
        server.close(() => resolve());
      }),
  };
}
