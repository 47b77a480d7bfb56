/** The configuration files of the node's programs, as text. */
import { containerdSocket, nodeRoot, type NodeSettings } from "./settings.ts";

export const pauseImage = "localhost/caudal/pause:1";

/** The bridge and addresses of pods. */
export function cniConfig(settings: NodeSettings): string {
  const ipam = {
    type: "host-local",
    ranges: [[{ subnet: settings.podCidr }]],
    routes: [{ dst: "0.0.0.0/0" }],
    dataDir: `${nodeRoot}/cni/addresses`,
  };
  return JSON.stringify({
    cniVersion: "0.4.0",
    name: "pods",
    plugins: [
      { type: "bridge", bridge: "cni0", isGateway: true, ipMasq: true, hairpinMode: true, ipam },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  });
}

/** Configuration of containerd 1.6 and later (format 2, which 2.x still reads). */
export function containerdConfig(settings: NodeSettings): string {
  return `version = 2
root = "${nodeRoot}/containerd"
state = "/run/containerd"
[grpc]
  address = "${containerdSocket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  # Without CAP_SYS_RESOURCE runc could otherwise not start containers that ask for a lower score than ours.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "${settings.snapshotter}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${nodeRoot}/cni"
`;
}

/** KubeletConfiguration, as JSON, which is YAML too. */
export function kubeletConfig(settings: NodeSettings): string {
  const pki = `${nodeRoot}/pki`;
  return JSON.stringify(
    {
      apiVersion: "kubelet.config.k8s.io/v1beta1",
      kind: "KubeletConfiguration",
      cgroupDriver: "cgroupfs",
      cgroupRoot: settings.cgroup,
      failCgroupV1: false,
      failSwapOn: false,
      containerRuntimeEndpoint: `unix://${containerdSocket}`,
      authentication: {
        x509: { clientCAFile: `${pki}/ca.crt` },
        anonymous: { enabled: false },
        webhook: { enabled: true },
      },
      authorization: { mode: "Webhook" },
      clusterDNS: [settings.dnsIp],
      clusterDomain: "cluster.local",
      resolvConf: `${nodeRoot}/resolv.conf`,
      tlsCertFile: `${pki}/kubelet.crt`,
      tlsPrivateKeyFile: `${pki}/kubelet.key`,
      podLogsDir: `${nodeRoot}/pod-logs`,
      // The host's disk is not ours to judge: no garbage collection of images, eviction only when it is all but full.
      imageGCHighThresholdPercent: 100,
      imageMinimumGCAge: "24h",
      evictionHard: { "memory.available": "100Mi", "nodefs.available": "200Mi", "imagefs.available": "200Mi" },
      shutdownGracePeriod: "0s",
    },
    null,
    2,
  );
}
