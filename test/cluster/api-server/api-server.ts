/** etcd and kube-apiserver alone on loopback: a real API without nodes or controllers, ready in seconds. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { openSync, closeSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kubernetesBinaries } from "../host/binaries.ts";
import { NotReadyInTime } from "../host/errors.ts";
import { poll } from "../host/poll.ts";
import { succeeds } from "../host/run.ts";
import { kubeconfigFor, makeCertificates } from "./certificates.ts";

export interface ApiServer {
  /** Of an administrator (group system:masters). */
  readonly kubeconfigPath: string;
  readonly url: string;
  /** Waits until every definition that it has is served. */
  definitionsServed(): Promise<void>;
  /** What kube-apiserver has logged so far. */
  log(): Promise<string>;
  /** Ends both processes and removes their data. */
  stop(): Promise<void>;
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}

/** Starts a program that the kernel kills when this process ends, however it ends. */
function start(logFile: string, command: string, args: readonly string[]): ChildProcess {
  const log = openSync(logFile, "w");
  const child = spawn("setpriv", ["--pdeathsig", "KILL", command, ...args], { stdio: ["ignore", log, log] });
  closeSync(log);
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

/**
 * Starts an API server for tests. There is no controller: nothing collects garbage, fills namespaces with service
 * accounts or finishes the deletion of a namespace, and a pod is only a record.
 */
export async function startApiServer(extraArgs: readonly string[] = []): Promise<ApiServer> {
  const binaries = await kubernetesBinaries();
  const folder = await mkdtemp(join(tmpdir(), "caudal-api-"));
  const pki = join(folder, "pki");
  const [clientPort = 0, peerPort = 0, securePort = 0] = await freePorts(3);
  const etcdUrl = `http://127.0.0.1:${clientPort}`;
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  const url = `https://127.0.0.1:${securePort}`;
  const etcd = start(join(folder, "etcd.log"), binaries.etcd, [
    `--data-dir=${folder}/etcd`,
    "--unsafe-no-fsync",
    `--listen-client-urls=${etcdUrl}`,
    `--advertise-client-urls=${etcdUrl}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=default=${peerUrl}`,
  ]);
  await makeCertificates(pki, [
    { name: "server", user: "kube-apiserver", names: ["DNS:localhost", "IP:127.0.0.1"] },
    { name: "admin", user: "admin", group: "system:masters" },
  ]);
  const api = start(join(folder, "kube-apiserver.log"), binaries["kube-apiserver"], [
    `--etcd-servers=${etcdUrl}`,
    "--bind-address=127.0.0.1",
    `--secure-port=${securePort}`,
    "--endpoint-reconciler-type=none",
    "--service-cluster-ip-range=10.96.0.0/16",
    `--tls-cert-file=${pki}/server.crt`,
    `--tls-private-key-file=${pki}/server.key`,
    `--client-ca-file=${pki}/ca.crt`,
    `--service-account-key-file=${pki}/sa.pub`,
    `--service-account-signing-key-file=${pki}/sa.key`,
    "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
    "--authorization-mode=RBAC",
    "--allow-privileged=true",
    // Without the controller that makes them, waiting for service accounts would refuse every pod.
    "--disable-admission-plugins=ServiceAccount",
    ...extraArgs,
  ]);
  const kubeconfigPath = join(folder, "kubeconfig");
  await writeFile(kubeconfigPath, await kubeconfigFor(pki, "admin", url), { mode: 0o600 });
  const log = async (): Promise<string> => await readFile(join(folder, "kube-apiserver.log"), "utf8");
  const stop = async (): Promise<void> => {
    await Promise.all([end(api), end(etcd)]);
    await rm(folder, { recursive: true, force: true });
  };
  const ready = async (): Promise<true | undefined> => {
    if (api.exitCode !== null || etcd.exitCode !== null)
      throw new NotReadyInTime(`the API server ended: ${tail(await log())}`);
    const args = ["--kubeconfig", kubeconfigPath, "get", "--raw", "/readyz"];
    return (await succeeds(binaries.kubectl, args)) ? true : undefined;
  };
  try {
    await poll(ready, {
      seconds: 120,
      onTimeout: async () => `the API server was not ready after 120 s: ${tail(await log())}`,
    });
  } catch (error) {
    await stop();
    throw error;
  }
  const definitionsServed = async (): Promise<void> => {
    const args = ["--kubeconfig", kubeconfigPath, "wait", "--for=condition=Established", "crd", "--all"];
    // kubectl does not wait for one that has no conditions yet: it is asked again.
    await poll(async () => ((await succeeds(binaries.kubectl, args)) ? true : undefined), {
      seconds: 120,
      onTimeout: async () => `the API server does not serve its definitions: ${tail(await log())}`,
    });
  };
  return { kubeconfigPath, url, definitionsServed, log, stop };
}

function tail(log: string): string {
  return log.trimEnd().split("\n").slice(-5).join("\n");
}
