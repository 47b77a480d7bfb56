/**
 * A release of charts/caudal on a cluster that runs: install, test, upgrade, uninstall. It watches only a namespace of
 * its own, so that it leaves the pipelines of another operator of the same cluster alone.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { images } from "../cluster/index.ts";
import { get, kubeconfig, kubectl, type KubeObject, list, until } from "../e2e/support/kube.ts";
import { chartFolder, helm } from "./support/helm.ts";

const namespace = "caudal-chart-test";
const release = "chart-test";
const operator = "chart-test-caudal";
const definition = "streampipelines.caudal.dev";
const ours = `app.kubernetes.io/instance=${release}`;

/** Of the definition that another release of the cluster holds, this one keeps its hands off. */
let shared = false;
const run = async (...args: string[]): Promise<string> => await helm([...args, "--namespace", namespace], kubeconfig);
const values = (): string[] =>
  [
    `watchNamespaces={${namespace}}`,
    ...imageValues("image", images.operator.aliases),
    ...imageValues("workloads.image", images.workloads.aliases),
    `crds.enabled=${!shared}`,
  ].flatMap((pair) => ["--set", pair]);

function imageValues(key: string, [alias = ""]: readonly string[]): string[] {
  const colon = alias.lastIndexOf(":");
  return [`${key}.repository=${alias.slice(0, colon)}`, `${key}.tag=${alias.slice(colon + 1)}`];
}

/** Helm with --wait; when that is in vain, the error says what the namespace looks like. */
const waitFor = async (...args: string[]): Promise<string> => {
  try {
    return await run(...args, "--wait", "--timeout=120s");
  } catch (error) {
    const state = await kubectl(["-n", namespace, "get", "pods,events"]);
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${state}`, { cause: error });
  }
};

let notes = "";
const remove = async (): Promise<void> => {
  await run("uninstall", release, "--ignore-not-found", "--wait", "--timeout=120s");
  await kubectl(["delete", "namespace", namespace, "--ignore-not-found", "--timeout=120s"], "", 150_000);
  // Kept by the uninstall, and in the way of the next release that brings its own.
  const crd = await get("crd", definition, namespace);
  if (crd?.metadata.annotations?.["meta.helm.sh/release-namespace"] === namespace)
    await kubectl(["delete", "crd", definition, "--timeout=60s"], "", 90_000);
};

beforeAll(async () => {
  await remove();
  shared = (await get("crd", definition, "default")) !== undefined;
  await kubectl(["create", "namespace", namespace]);
  await kubectl(["label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted"]);
  notes = await waitFor("install", release, chartFolder("caudal"), ...values());
});
afterAll(remove);

describe("a release on a cluster", () => {
  it("installs, and its operator gets ready in a namespace that enforces the restricted standard", async () => {
    expect(notes).toContain("STATUS: deployed");
    expect(notes).toContain(`helm test ${release} --namespace ${namespace}`);
    expect(await operatorPods()).toHaveLength(1);
  });

  it("passes helm test", async () => {
    expect(await run("test", release, "--timeout=120s")).toMatch(/Phase:\s+Succeeded/);
  });

  it("upgrades to two replicas of which one leads", async () => {
    const set = ["--set", "replicas=2", "--set", "logLevel=debug"];
    await waitFor("upgrade", release, chartFolder("caudal"), ...values(), ...set);
    const pods = await until("two pods of the new revision", 180, async () => {
      const now = await operatorPods();
      return now.length === 2 && now;
    });
    const names = pods.map(({ metadata }) => metadata.name);
    const holder = await until("one of them holds the Lease", 180, async () => {
      const lease = await get("lease", operator, namespace);
      const identity = String(lease?.spec["holderIdentity"] ?? "");
      return names.find((name) => identity.startsWith(name));
    });
    expect(names).toContain(holder);
    const leading = await Promise.all(names.map(leads));
    expect(leading.filter(Boolean)).toHaveLength(1);
    expect(await get("poddisruptionbudget", operator, namespace)).toBeDefined();
  });

  it("lets the operator do all that it tries: no request is answered with 403", async () => {
    for (const { metadata } of await operatorPods()) {
      const metrics = await metricsOf(metadata.name);
      expect(metrics).toMatch(/^rest_client_requests_total\{[^}]*code="200"/m);
      expect(metrics).not.toMatch(/^rest_client_requests_total\{[^}]*code="403"/m);
    }
  });

  it("fails helm test when there is no operator, so that passing means something", async () => {
    await kubectl(["-n", namespace, "scale", `deployment/${operator}`, "--replicas=0"]);
    await until("no operator's pod", 180, async () => (await operatorPods()).length === 0);
    await expect(run("test", release, "--timeout=120s")).rejects.toThrow(/failed/i);
    const log = await kubectl(["-n", namespace, "logs", `${operator}-test`]);
    expect(log).toContain("failed: the operator is ready");
    expect(log).toContain("ok: the API server serves StreamPipelines");
  });

  it("uninstalls, and leaves the definition and the operator's own key", async () => {
    await run("uninstall", release, "--wait", "--timeout=120s");
    const kinds = "deployments,services,serviceaccounts,configmaps,networkpolicies,roles,rolebindings";
    await until("nothing of the release is left", 180, async () => (await list(kinds, ours, namespace)).length === 0);
    expect(await list("clusterroles,clusterrolebindings", ours, namespace)).toEqual([]);
    expect(await get("crd", definition, namespace)).toBeDefined();
    expect(await get("secret", `${operator}-hmac-key`, namespace)).toBeDefined();
  });
});

async function operatorPods(): Promise<KubeObject[]> {
  const pods = await list("pods", `${ours},app.kubernetes.io/component=operator`, namespace);
  return pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}

async function metricsOf(pod: string): Promise<string> {
  return await kubectl(["get", "--raw", `/api/v1/namespaces/${namespace}/pods/${pod}:8080/proxy/metrics`]);
}

async function leads(pod: string): Promise<boolean> {
  return /^leader_election_master_status\{[^}]*\} 1$/m.test(await metricsOf(pod));
}
