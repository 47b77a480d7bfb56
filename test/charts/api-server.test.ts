/** charts/caudal on a real API server without nodes: what is accepted, what the rights allow, and the definition's life. */
import { stringify } from "yaml";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ApiServer, startApiServer } from "../cluster/index.ts";
import { changedCopy } from "./support/chart-copy.ts";
import { chartFolder, helm, kubectl, render, valueArgs } from "./support/helm.ts";
import { podTemplates } from "./support/manifest.ts";

const namespace = "caudal-system";
const definition = "streampipelines.caudal.dev";
let api: ApiServer;
const kube = async (args: readonly string[], input?: string): Promise<string> =>
  await kubectl(api.kubeconfigPath, args, input);
const release = async (...args: string[]): Promise<string> =>
  await helm([...args, "--namespace", namespace], api.kubeconfigPath);

beforeAll(async () => {
  api = await startApiServer();
  for (const name of [namespace, "orders", "payments", "strict"]) await kube(["create", "namespace", name]);
  await kube(["label", "namespace", "strict", "pod-security.kubernetes.io/enforce=restricted"]);
});
afterAll(async () => await api.stop());

describe("what the chart renders to", () => {
  it.each(["ha", "namespaced", "no-crds", "otel", "no-network-policy", "digest"])(
    "is accepted by the API server with the values %s",
    async (values) => {
      const manifests = await render("caudal", { values: [values] });
      const applied = await kube(
        ["apply", "--server-side", "--dry-run=server", "--validate=strict", "--output=name", "--filename=-"],
        manifests.map((manifest) => stringify(manifest)).join("---\n"),
      );
      expect(applied.trim().split("\n")).toHaveLength(manifests.length);
    },
  );

  it("lets its pods into a namespace that enforces the restricted Pod Security Standard", async () => {
    const pods = podTemplates(await render("caudal"));
    expect(pods).toHaveLength(2);
    const create = async (pod: unknown): Promise<string> =>
      await kube(["create", "--dry-run=server", "--namespace=strict", "--output=name", "--filename=-"], stringify(pod));
    for (const [, { spec }] of pods) {
      const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "probe" }, spec };
      await expect(create(pod)).resolves.toBe("pod/probe\n");
      await expect(create({ ...pod, spec: { ...spec, hostNetwork: true } })).rejects.toThrow(/violates PodSecurity/);
    }
  });
});

describe("a release", () => {
  it("installs, with the definition served", async () => {
    await release("install", "caudal", chartFolder("caudal"), ...valueArgs({ values: ["namespaced"] }));
    await api.definitionsServed();
    await kube(["apply", "--namespace=orders", "--filename=-"], stringify(pipeline));
  });

  it("may do in a watched namespace what the operator does, and nothing in another", async () => {
    const can = async (verb: string, resource: string, where: string): Promise<string> =>
      (
        await kube([
          ...["auth", "can-i", verb, resource, "--namespace", where],
          ...["--as", `system:serviceaccount:${namespace}:caudal`],
        ]).catch((error: unknown) => (error as { output: string }).output)
      ).trim();
    expect(await can("patch", "streampipelines.caudal.dev/status", "orders")).toBe("yes");
    expect(await can("create", "deployments.apps", "orders")).toBe("yes");
    expect(await can("get", "secrets", "orders")).toBe("yes");
    expect(await can("list", "secrets", "orders")).toBe("no");
    expect(await can("delete", "secrets", "orders")).toBe("no");
    expect(await can("create", "streampipelines.caudal.dev", "orders")).toBe("no");
    expect(await can("create", "deployments.apps", "default")).toBe("no");
    expect(await can("get", "secrets", "default")).toBe("no");
    expect(await can("create", "leases.coordination.k8s.io", namespace)).toBe("yes");
    expect(await can("get", "secrets/another", namespace)).toBe("no");
    expect(await can("get", "secrets/caudal-hmac-key", namespace)).toBe("yes");
  });

  it("upgrades the definition, and the pipelines stay", async () => {
    const file = "files/streampipelines.caudal.dev.yaml";
    const newer = await changedCopy(file, (crd) => crd.replace("    shortNames:\n", "    shortNames:\n      - pipe\n"));
    await release("upgrade", "caudal", newer.folder, ...valueArgs({ values: ["namespaced"] }));
    await newer.remove();
    expect(await kube(["get", "crd", definition, "--output=jsonpath={.spec.names.shortNames}"])).toBe('["pipe","sp"]');
    expect(await pipelines()).toEqual(["kept"]);
  });

  it("is uninstalled without its definition and the pipelines, and installs again over them", async () => {
    await release("uninstall", "caudal");
    expect(await pipelines()).toEqual(["kept"]);
    expect(
      await kube(["get", "deployments,roles,clusterroles", "-A", "--selector=app.kubernetes.io/part-of=caudal"]),
    ).toBe("");
    await release("install", "caudal", chartFolder("caudal"));
    expect(await kube(["get", "crd", definition, "--output=jsonpath={.spec.names.shortNames}"])).toBe('["sp"]');
    expect(await pipelines()).toEqual(["kept"]);
  });

  it("takes the definition with it when crds.keep is false", async () => {
    await release("upgrade", "caudal", chartFolder("caudal"), "--set", "crds.keep=false");
    await release("uninstall", "caudal", "--wait");
    await expect(kube(["get", "crd", definition])).rejects.toThrow(/NotFound/);
  });
});

async function pipelines(): Promise<string[]> {
  return (await kube(["get", "streampipelines", "--all-namespaces", "--output=jsonpath={.items[*].metadata.name}"]))
    .split(" ")
    .filter((name) => name !== "");
}

const pipeline = {
  apiVersion: "caudal.dev/v1alpha1",
  kind: "StreamPipeline",
  metadata: { name: "kept" },
  spec: {
    kafka: { clusterRef: { name: "platform" } },
    topics: [{ name: "clicks", fields: [{ name: "id", type: "uuid" }] }],
    generators: [{ name: "events", topic: "clicks", interval: "5s", count: 1 }],
  },
};
