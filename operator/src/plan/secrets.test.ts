import type { StreamPipeline } from "@caudal/crds";
import { expect, test } from "vitest";
import type { KubeObject } from "../kube/object.ts";
import { givenPipeline } from "@caudal/pipeline/testing";
import { givenKafka, givenObservation } from "../testing/given.ts";
import { kafkaAccessOf, databaseCaSecretOf, databaseClusterOf, secretNamesOf } from "@caudal/pipeline";
import { plan } from "./plan.ts";

const settings = { image: "i", imagePullPolicy: "IfNotPresent", imagePullSecrets: [], env: {} };
const clusterOf = (name: string, certificates?: object): KubeObject => ({
  apiVersion: "postgresql.cnpg.io/v1",
  kind: "Cluster",
  metadata: { name, namespace: "ns" },
  spec: { instances: 1, ...(certificates === undefined ? {} : { certificates }) },
});
const withDatabase = (database: StreamPipeline["spec"]["database"]) =>
  givenPipeline((spec) => (spec.database = database));
const own = withDatabase({ cluster: { instances: 1, storage: { size: "1Gi" } } });
const shared = withDatabase({ clusterRef: { name: "shared" } });
const given = { serverCASecret: "company", serverTLSSecret: "company-server" };

test.each([
  ["its own Cluster", own, clusterOf("app-events-db"), "app-events-db-ca"],
  ["its own, which is not there yet", own, undefined, "app-events-db-ca"],
  ["its own with certificates that people gave it", own, clusterOf("app-events-db", given), "company"],
  ["a shared one", shared, clusterOf("shared"), "shared-ca"],
  ["a shared one with certificates that people gave it", shared, clusterOf("shared", given), "company"],
  [
    "a shared one with a certificate of clients alone",
    shared,
    clusterOf("shared", { clientCASecret: "c" }),
    "shared-ca",
  ],
  [
    "an authority that the spec names",
    withDatabase({ clusterRef: { name: "shared" }, caSecretRef: { name: "mine" } }),
    clusterOf("shared", given),
    "mine",
  ],
  ["another server", withDatabase({ secretRef: { name: "pg" } }), undefined, undefined],
  ["no database", withDatabase(undefined), undefined, undefined],
] as const)("the authority of %s", (_, pipeline, cluster, name) => {
  expect(databaseCaSecretOf(pipeline, cluster)).toBe(name);
});

test("the authority that a Cluster was given is waited for, and mounted beside the login", () => {
  const pipeline = own;
  const cluster = clusterOf(databaseClusterOf(pipeline) ?? "", given);
  expect(secretNamesOf(pipeline, kafkaAccessOf(pipeline, givenKafka()), cluster)).toContain("company");
  const { secrets } = givenObservation();
  const without = givenObservation({ pipeline, databaseCluster: cluster });
  expect(plan(without, settings).held).toEqual([
    expect.objectContaining({ reason: "SecretNotFound", message: expect.stringContaining("Secret/company") }),
  ]);
  const authority = { name: "company", exists: true, keys: { "ca.crt": "7" } };
  const whole = { ...without, secrets: new Map([...secrets, ["company", authority]]) };
  const pods = JSON.stringify(plan(whole, settings).objects.filter(({ kind }) => kind === "Deployment"));
  expect(pods).toContain('"name":"company","items":[{"key":"ca.crt"');
});
