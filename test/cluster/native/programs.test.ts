import { describe, expect, it } from "vitest";
import { cniConfig, containerdConfig, kubeletConfig } from "./config.ts";
import { identities, programs } from "./programs.ts";
import { containerdSocket, nodeRoot, nodeSettings } from "./settings.ts";

const places = { clusterDir: "/repo/.cluster", binaryDir: "/cache/bin", snapshotter: "overlayfs" } as const;
const settings = nodeSettings("abcd1234", 3, places);

describe("the programs of a node", () => {
  const all = programs(settings);

  it("find every certificate and kubeconfig that they name", () => {
    const names = new Set([...identities(settings).map(({ name }) => name), "ca", "sa"]);
    const files = all
      .flatMap(({ args, ready = [] }) => [...args, ...ready])
      .concat(kubeletConfig(settings))
      .flatMap((text) => [...text.matchAll(/\/pki\/([\w-]+)\.(?:crt|key|pub|kubeconfig)/g)].map(([, name]) => name));
    expect(files.length).toBeGreaterThan(10);
    for (const name of files) expect(names).toContain(name);
  });

  it("wait for the API server before those that need it start", () => {
    const order = all.map(({ name }) => name);
    const api = all[order.indexOf("kube-apiserver")];
    expect(api?.ready).toContain("/readyz");
    for (const later of ["kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"])
      expect(order.indexOf(later)).toBeGreaterThan(order.indexOf("kube-apiserver"));
  });

  it("write nowhere but into the node's own folder", () => {
    const written = all.flatMap(({ args }) => args).filter((arg) => /--(data-dir|root-dir)=/.test(arg));
    expect(written).toHaveLength(2);
    for (const arg of written) expect(arg).toContain(`=${nodeRoot}/`);
  });
});

describe("the configuration of the kubelet", () => {
  it("keeps pods in the cluster's own cgroup and asks its own containerd", () => {
    expect(JSON.parse(kubeletConfig(settings))).toMatchObject({
      cgroupRoot: settings.cgroup,
      containerRuntimeEndpoint: `unix://${containerdSocket}`,
      clusterDNS: ["10.96.48.10"],
    });
  });
});

describe("the configuration of containerd and the pods' network", () => {
  it("takes the snapshotter that the file system allows", () => {
    expect(containerdConfig({ ...settings, snapshotter: "native" })).toContain('snapshotter = "native"');
  });

  it("gives pods addresses of the cluster's own range", () => {
    const { plugins } = JSON.parse(cniConfig(settings)) as { plugins: [{ ipam: { ranges: unknown } }] };
    expect(plugins[0].ipam.ranges).toEqual([[{ subnet: settings.podCidr }]]);
  });
});
