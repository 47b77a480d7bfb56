/** The programs of a node and their arguments, in the order of their start. */
import { type Identity } from "../api-server/certificates.ts";
import { containerdSocket, nodeRoot, type NodeSettings } from "./settings.ts";

export interface Program {
  readonly name: string;
  readonly args: readonly string[];
  /** A command that succeeds once the program serves; what comes next waits for it. */
  readonly ready?: readonly string[];
}

/** Who talks to whom: the certificates that the programs below name. */
export function identities(settings: NodeSettings): readonly Identity[] {
  const service = [
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
  ];
  const ips = ["127.0.0.1", settings.nodeIp, settings.apiServiceIp];
  const names = [...["localhost", ...service].map((name) => `DNS:${name}`), ...ips.map((ip) => `IP:${ip}`)];
  const kubelet = [`DNS:${settings.nodeName}`, "IP:127.0.0.1", `IP:${settings.nodeIp}`];
  return [
    { name: "kube-apiserver", user: "kube-apiserver", names },
    { name: "admin", user: "admin", group: "system:masters" },
    { name: "kube-controller-manager", user: "system:kube-controller-manager" },
    { name: "kube-scheduler", user: "system:kube-scheduler" },
    { name: "kube-proxy", user: "system:kube-proxy" },
    { name: "kubelet", user: `system:node:${settings.nodeName}`, group: "system:nodes", names: kubelet },
  ];
}

export function apiUrl(settings: NodeSettings): string {
  return `https://${settings.nodeIp}:6443`;
}

const pki = (file: string): string => `${nodeRoot}/pki/${file}`;
const kubeconfig = (name: string): string => `--kubeconfig=${pki(`${name}.kubeconfig`)}`;

/** Everything that runs beside the pods. The supervisor starts it in this order, each when the one before is ready. */
export function programs(settings: NodeSettings): readonly Program[] {
  const binary = (name: string): string => `${settings.binaryDir}/${name}`;
  return [
    { name: "etcd", args: [binary("etcd"), `--data-dir=${nodeRoot}/etcd`, "--unsafe-no-fsync"] },
    { name: "containerd", args: ["containerd", "--config", `${nodeRoot}/containerd.toml`] },
    {
      name: "kube-apiserver",
      args: [
        binary("kube-apiserver"),
        "--etcd-servers=http://127.0.0.1:2379",
        `--advertise-address=${settings.nodeIp}`,
        "--secure-port=6443",
        `--service-cluster-ip-range=${settings.serviceCidr}`,
        `--tls-cert-file=${pki("kube-apiserver.crt")}`,
        `--tls-private-key-file=${pki("kube-apiserver.key")}`,
        `--client-ca-file=${pki("ca.crt")}`,
        `--service-account-key-file=${pki("sa.pub")}`,
        `--service-account-signing-key-file=${pki("sa.key")}`,
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        "--authorization-mode=Node,RBAC",
        `--kubelet-client-certificate=${pki("admin.crt")}`,
        `--kubelet-client-key=${pki("admin.key")}`,
        "--kubelet-preferred-address-types=InternalIP",
        "--allow-privileged=true",
        "--enable-admission-plugins=NodeRestriction",
      ],
      ready: [binary("kubectl"), kubeconfig("admin"), "get", "--raw", "/readyz"],
    },
    {
      name: "kube-controller-manager",
      args: [
        binary("kube-controller-manager"),
        kubeconfig("kube-controller-manager"),
        "--use-service-account-credentials",
        `--service-account-private-key-file=${pki("sa.key")}`,
        `--root-ca-file=${pki("ca.crt")}`,
        `--cluster-signing-cert-file=${pki("ca.crt")}`,
        `--cluster-signing-key-file=${pki("ca.key")}`,
        "--leader-elect=false",
      ],
    },
    {
      name: "kube-scheduler",
      args: [binary("kube-scheduler"), kubeconfig("kube-scheduler"), "--leader-elect=false"],
      ready: ["ctr", "--address", containerdSocket, "version"],
    },
    {
      name: "kubelet",
      args: [
        binary("kubelet"),
        `--config=${nodeRoot}/kubelet.json`,
        kubeconfig("kubelet"),
        `--hostname-override=${settings.nodeName}`,
        `--node-ip=${settings.nodeIp}`,
        `--root-dir=${nodeRoot}/kubelet`,
      ],
    },
    {
      name: "kube-proxy",
      args: [
        binary("kube-proxy"),
        kubeconfig("kube-proxy"),
        `--hostname-override=${settings.nodeName}`,
        `--cluster-cidr=${settings.podCidr}`,
        "--proxy-mode=iptables",
        // These limits belong to the host, not to a network namespace.
        "--conntrack-max-per-core=0",
        "--conntrack-tcp-timeout-established=0s",
        "--conntrack-tcp-timeout-close-wait=0s",
      ],
    },
  ];
}
