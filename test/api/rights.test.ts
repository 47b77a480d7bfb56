/** The operator with exactly the rights that its chart gives it. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { HttpKubeClient } from "../../operator/src/kube/client.ts";
import { type KubeObject, pathOf, type Resource, resources } from "../../operator/src/kube/object.ts";
import { Transport } from "../../operator/src/kube/transport.ts";
import { helmBinary } from "../cluster/index.ts";
import { eventually } from "./support/eventually.ts";
import { TestServer } from "./support/server.ts";
import { World } from "./support/world.ts";

const chart = join(import.meta.dirname, "../../charts/caudal");
const rbac = (kind: string, plural: string): Resource => ({ apiVersion: "rbac.authorization.k8s.io/v1", kind, plural });
const roles: readonly Resource[] = [
  rbac("ClusterRole", "clusterroles"),
  rbac("ClusterRoleBinding", "clusterrolebindings"),
  rbac("Role", "roles"),
  rbac("RoleBinding", "rolebindings"),
];

let server: TestServer;
let world: World;
const refused: string[] = [];
let transport: Transport;
let account = "";
/** What the chart's Deployment tells the operator. */
let env: Record<string, string> = {};

beforeAll(async () => {
  server = TestServer.shared();
  world = await World.create(server);
  const helm = await helmBinary();
  const rendered = execFileSync(
    helm,
    ["template", "caudal", chart, "--namespace", world.namespace, "--kube-version", "1.34.0"],
    {
      encoding: "utf8",
    },
  );
  const objects = parseAllDocuments(rendered).map((document) => document.toJS() as KubeObject | null);
  for (const object of objects) {
    const role = roles.find(({ kind }) => kind === object?.kind);
    if (object?.kind === "RoleBinding" || object?.kind === "ClusterRoleBinding")
      account = (object["subjects"] as { name: string }[])[0]?.name ?? "";
    if (object?.kind === "Deployment") env = variablesOf(object);
    if (object === null || role === undefined) continue;
    const namespace = role.kind.startsWith("Cluster") ? undefined : world.namespace;
    await server.send("POST", pathOf(role, namespace), object);
  }
  transport = new Transport(await configOf(account), ({ code, method }) => {
    if (code === "403") refused.push(method);
  });
});
afterAll(async () => {
  await world.stop();
  transport.close();
  await server.stop();
});

function variablesOf(deployment: KubeObject): Record<string, string> {
  const { template } = deployment.spec as {
    template: { spec: { containers: { env?: { name: string; value?: string }[] }[] } };
  };
  return Object.fromEntries((template.spec.containers[0]?.env ?? []).map(({ name, value = "" }) => [name, value]));
}

/** A KubeConfig with a token of the operator's ServiceAccount. */
async function configOf(name: string): Promise<KubeConfig> {
  const accounts: Resource = { apiVersion: "v1", kind: "ServiceAccount", plural: "serviceaccounts" };
  await world.create({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name } }, accounts);
  const request = await server.send("POST", `${pathOf(accounts, world.namespace, name)}/token`, {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: {},
  });
  const cluster = server.config.getCurrentCluster();
  if (cluster === null) throw new TypeError("the server's kubeconfig names no cluster");
  const config = new KubeConfig();
  config.loadFromClusterAndUser(cluster, { name, token: String(request.status?.["token"]) });
  return config;
}

test("they suffice to bring a pipeline up, to change it and to take it away, and nothing is refused", async () => {
  const { LEASE_NAME: leaseName = "", HMAC_SECRET_NAME: hmacSecretName = "" } = env;
  await world.operator({ client: new HttpKubeClient(transport), leaseName, hmacSecretName });
  await world.ready("app-events", (spec) => {
    spec.deletionPolicy = "Delete";
  });
  await world.apply("app-events", (spec) => {
    spec.aggregators = [];
    spec.deletionPolicy = "Delete";
  });
  await eventually(
    "a topic is released",
    async () => (await world.pipeline("app-events")).status?.released?.length === 1,
  );
  for (const { metadata } of await world.list(resources.pod))
    await server.raw("DELETE", pathOf(resources.pod, world.namespace, metadata.name), { gracePeriodSeconds: 0 });
  await world.remove(resources.streamPipeline, "app-events");
  await eventually(
    "the pipeline is gone",
    async () => (await world.get(resources.streamPipeline, "app-events")) === undefined,
  );
  expect(await world.get(resources.kafkaTopic, "app-events")).toBeUndefined();
  const events = await server.raw("GET", pathOf(resources.event, world.namespace));
  expect((events.body["items"] as unknown[]).length).toBeGreaterThan(5);
  expect(refused).toEqual([]);
});

test("they do not suffice to list secrets, to read others' pods' logs or to delete a secret", async () => {
  const review = async (verb: string, resource: string, subresource?: string): Promise<boolean> => {
    const { body } = await server.raw("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SubjectAccessReview",
      spec: {
        user: `system:serviceaccount:${world.namespace}:${account}`,
        resourceAttributes: { verb, resource, namespace: "kube-system", ...(subresource && { subresource }) },
      },
    });
    return (body["status"] as { allowed: boolean }).allowed;
  };
  expect(await review("get", "secrets")).toBe(true);
  expect(await review("list", "secrets")).toBe(false);
  expect(await review("watch", "secrets")).toBe(false);
  expect(await review("delete", "secrets")).toBe(false);
  expect(await review("get", "pods", "log")).toBe(false);
});
