/** What charts/caudal renders to, for several kinds of values. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { describe, expect, it } from "vitest";
import { repository } from "../cluster/host/paths.ts";
import { chartFolder, helm, render, valueArgs } from "./support/helm.ts";
import { envOf, type Manifest, only, operatorContainer, podTemplates, type Rule } from "./support/manifest.ts";

const kinds = ["ha", "namespaced", "no-crds", "otel", "no-network-policy", "digest", "monitoring"];
const cases: [string, string[]][] = [["the defaults", []], ...kinds.map((name): [string, string[]] => [name, [name]])];
const { version, appVersion } = parse(readFileSync(join(chartFolder("caudal"), "Chart.yaml"), "utf8")) as {
  version: string;
  appVersion: string;
};

it("renders where helm sees no cluster and is told no version", async () => {
  expect(await helm(["template", "caudal", chartFolder("caudal")])).toContain("kind: Deployment");
});

describe.each(cases)("charts/caudal with %s", (_, values) => {
  it("passes helm lint --strict", async () => {
    await expect(helm(["lint", "--strict", chartFolder("caudal"), ...valueArgs({ values })])).resolves.toContain(
      "0 chart(s) failed",
    );
  });

  it("asks only for pods that the restricted Pod Security Standard lets in", async () => {
    const pods = podTemplates(await render("caudal", { values }));
    expect(pods.map(([name]) => name)).toEqual(expect.arrayContaining(["Deployment/caudal", "Pod/caudal-test"]));
    for (const [name, { spec }] of pods) {
      expect(spec.securityContext, name).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: "RuntimeDefault" },
      });
      expect(spec, name).not.toHaveProperty("hostNetwork");
      for (const volume of spec.volumes ?? []) expect(Object.keys(volume), name).toEqual(["name", "emptyDir"]);
      for (const container of spec.containers) {
        expect(container.securityContext, name).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        });
        expect(container.volumeMounts, name).toContainEqual({ name: "tmp", mountPath: "/tmp" });
        expect(container.resources?.requests, name).toHaveProperty("cpu");
        expect(container.resources?.requests, name).toHaveProperty("memory");
        expect(container.resources?.limits, name).toHaveProperty("memory");
      }
    }
  });

  it("gives rights without wildcards, and never lists secrets", async () => {
    const rules = (await render("caudal", { values })).flatMap(({ rules = [] }) => rules);
    expect(rules.length).toBeGreaterThan(10);
    for (const rule of rules) {
      const words = [...rule.apiGroups, ...rule.resources, ...rule.verbs];
      expect(
        words.filter((word) => word.includes("*")),
        JSON.stringify(rule),
      ).toEqual([]);
    }
    const onSecrets = rules.filter(({ resources }) => resources.includes("secrets")).flatMap(({ verbs }) => verbs);
    expect([...new Set(onSecrets)].sort()).toEqual(["create", "get"]);
  });

  it("labels everything with its release and version", async () => {
    for (const { kind, metadata } of await render("caudal", { values })) {
      expect(metadata.labels, `${kind}/${metadata.name}`).toMatchObject({
        "app.kubernetes.io/instance": "caudal",
        "app.kubernetes.io/version": appVersion,
        "helm.sh/chart": `caudal-${version}`,
      });
    }
  });
});

describe("charts/caudal", () => {
  it("pins both images to its own version unless told otherwise", async () => {
    const operator = operatorContainer(await render("caudal"));
    expect(operator.image).toBe(`caudal/operator:${appVersion}`);
    expect(envOf(operator, "WORKLOAD_IMAGE")).toBe(`caudal/workloads:${appVersion}`);
    expect(envOf(operator, "WORKLOAD_IMAGE_PULL_POLICY")).toBe("IfNotPresent");
  });

  it("prefers a digest to a tag", async () => {
    const manifests = await render("caudal", { values: ["digest"] });
    const operator = operatorContainer(manifests);
    expect(operator.image).toMatch(/^registry\.example\.com:5000\/caudal\/operator@sha256:0123456789abcdef/);
    expect(envOf(operator, "WORKLOAD_IMAGE")).toMatch(/\/workloads@sha256:fedcba9876543210/);
    expect(envOf(operator, "WORKLOAD_IMAGE_PULL_POLICY")).toBe("Always");
    expect(envOf(operator, "WORKLOAD_IMAGE_PULL_SECRETS")).toBe("registry");
  });

  it("ships the generated definition, with nothing but labels and the keep annotation added", async () => {
    const crd = only(await render("caudal"), "CustomResourceDefinition");
    expect(crd.metadata.annotations).toEqual({ "helm.sh/resource-policy": "keep" });
    const generated = parse(
      readFileSync(join(repository, "crds/generated/streampipelines.caudal.dev.yaml"), "utf8"),
    ) as Manifest;
    expect(crd).toEqual({ ...generated, metadata: crd.metadata });
    expect(crd.metadata.name).toBe(generated.metadata.name);
    expect(stringify(crd)).not.toMatch(/[0-9]e\+/);
  });

  it("leaves the keep annotation out when crds.keep is false, and the definition when crds.enabled is", async () => {
    const loose = only(await render("caudal", { set: ["crds.keep=false"] }), "CustomResourceDefinition");
    expect(loose.metadata.annotations).toBeUndefined();
    const without = await render("caudal", { values: ["no-crds"] });
    expect(without.map(({ kind }) => kind)).not.toContain("CustomResourceDefinition");
  });

  it("gives a ClusterRole for all namespaces, and a Role in each watched one in its place", async () => {
    const rights = (manifests: readonly Manifest[]): string[] =>
      manifests
        .filter(({ kind, metadata }) => /Role/.test(kind) && !/-own$|:(view|edit)$/.test(metadata.name))
        .map(({ kind, metadata }) => `${kind} ${metadata.name} ${metadata.namespace ?? ""}`.trim())
        .sort();
    expect(rights(await render("caudal"))).toEqual([
      "ClusterRole caudal-system:caudal",
      "ClusterRoleBinding caudal-system:caudal",
    ]);
    const namespaced = await render("caudal", { values: ["namespaced"] });
    expect(rights(namespaced)).toEqual([
      "Role caudal-system:caudal orders",
      "Role caudal-system:caudal payments",
      "RoleBinding caudal-system:caudal orders",
      "RoleBinding caudal-system:caudal payments",
    ]);
    expect(envOf(operatorContainer(namespaced), "WATCH_NAMESPACES")).toBe("orders,payments");
    expect(envOf(operatorContainer(await render("caudal")), "WATCH_NAMESPACES")).toBeUndefined();
  });

  it("lets the operator reach only its own Lease and key by name in its own namespace", async () => {
    const manifests = await render("caudal", { release: "blue" });
    const own = only(manifests, "Role", "blue-caudal-own").rules as Rule[];
    const operator = operatorContainer(manifests);
    const names = Object.fromEntries(
      own.filter(({ verbs }) => verbs.includes("get")).map((rule) => [rule.resources[0], rule.resourceNames]),
    );
    expect(names).toEqual({
      leases: [envOf(operator, "LEASE_NAME")],
      secrets: [envOf(operator, "HMAC_SECRET_NAME")],
    });
    expect(names["leases"]).toEqual(["blue-caudal"]);
  });

  it("adds pipelines to the view and edit roles of the cluster", async () => {
    const manifests = await render("caudal");
    const view = only(manifests, "ClusterRole", "caudal-system:caudal:view");
    const edit = only(manifests, "ClusterRole", "caudal-system:caudal:edit");
    expect(view.metadata.labels).toHaveProperty(["rbac.authorization.k8s.io/aggregate-to-view"], "true");
    expect(edit.metadata.labels).toHaveProperty(["rbac.authorization.k8s.io/aggregate-to-edit"], "true");
    expect(edit.metadata.labels).not.toHaveProperty(["rbac.authorization.k8s.io/aggregate-to-view"]);
    expect(view.rules?.flatMap(({ verbs }) => verbs)).not.toEqual(expect.arrayContaining(["create"]));
  });

  it("spreads several replicas over nodes and lets one be disrupted at a time", async () => {
    const manifests = await render("caudal", { values: ["ha"] });
    expect(only(manifests, "PodDisruptionBudget").spec).toMatchObject({ maxUnavailable: 1 });
    const [, pod] = podTemplates(manifests)[0] ?? [];
    expect(pod?.spec.topologySpreadConstraints).toHaveLength(1);
    expect(pod?.spec).toMatchObject({
      priorityClassName: "system-cluster-critical",
      tolerations: [{ key: "dedicated" }],
    });
    expect(pod?.metadata.labels).toMatchObject({ team: "streams" });
    expect((await render("caudal")).map(({ kind }) => kind)).not.toContain("PodDisruptionBudget");
  });

  it("hands the collector's address to the operator and opens the way to it", async () => {
    const manifests = await render("caudal", { values: ["otel"] });
    expect(envOf(operatorContainer(manifests), "OTEL_EXPORTER_OTLP_ENDPOINT")).toBe(
      "http://collector.observability:4318",
    );
    expect(ports(only(manifests, "NetworkPolicy"), "egress")).toContain(4318);
    const secure = await render("caudal", { set: ["otel.endpoint=https://collector.example.com/otlp"] });
    expect(ports(only(secure, "NetworkPolicy"), "egress").filter((port) => port === 443)).toHaveLength(2);
    expect(envOf(operatorContainer(await render("caudal")), "OTEL_EXPORTER_OTLP_ENDPOINT")).toBeUndefined();
  });

  it("opens only metrics and probes to the operator, and from it only names, the API server, the workloads and databases", async () => {
    const policy = only(await render("caudal"), "NetworkPolicy");
    expect(policy.spec).toMatchObject({ policyTypes: ["Ingress", "Egress"] });
    expect(ports(policy, "ingress")).toEqual(["http"]);
    expect(ports(policy, "egress")).toEqual([53, 53, 443, 6443, 8080, 5432]);
    const narrowed = only(await render("caudal", { values: ["monitoring"] }), "NetworkPolicy");
    expect(narrowed.spec?.["ingress"]).toMatchObject([
      { from: [{ podSelector: {} }, { namespaceSelector: { matchLabels: {} } }] },
    ]);
    const without = await render("caudal", { values: ["no-network-policy"] });
    expect(without.map(({ kind }) => kind)).not.toContain("NetworkPolicy");
  });

  it("asks the Prometheus operator for nothing unless told to", async () => {
    const groups = (manifests: readonly Manifest[]): string[] =>
      manifests.filter(({ apiVersion: group }) => group.startsWith("monitoring.coreos.com/")).map(({ kind }) => kind);
    expect(groups(await render("caudal"))).toEqual([]);
    expect(groups(await render("caudal", { values: ["monitoring"] })).sort()).toEqual([
      "PrometheusRule",
      "ServiceMonitor",
    ]);
    const podMonitor = only(await render("caudal", { set: ["metrics.monitor.enabled=true"] }), "PodMonitor");
    expect(podMonitor.spec).toMatchObject({ podMetricsEndpoints: [{ port: "http", path: "/metrics" }] });
  });
});

/** The ports of a NetworkPolicy's rules, in order. */
function ports(policy: Manifest, direction: "ingress" | "egress"): unknown[] {
  const rules = policy.spec?.[direction] as { ports: { port: unknown }[] }[];
  return rules.flatMap((rule) => rule.ports.map(({ port }) => port));
}
