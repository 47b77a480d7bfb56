/** The objects of CloudNativePG: one Cluster, or a role, a database and a Secret in another's. */
import { expect, test } from "vitest";
import { givenPipeline } from "@caudal/pipeline/testing";
import { buildDatabaseCluster } from "./database-cluster.ts";
import { buildDatabaseRole } from "./database-role.ts";
import { buildDatabaseSecret } from "./database-secret.ts";
import { buildDatabase } from "./database.ts";

const shared = (policy: "Retain" | "Delete" = "Retain") =>
  givenPipeline((spec) => {
    spec.database = { clusterRef: { name: "shared" } };
    spec.deletionPolicy = policy;
  });

test("a Cluster is made with its database and owner, and never with the deprecated monitor", () => {
  const [cluster] = buildDatabaseCluster(givenPipeline());
  expect(cluster?.metadata.name).toBe("app-events-db");
  expect(cluster?.spec).toEqual({
    instances: 1,
    storage: { size: "1Gi" },
    bootstrap: { initdb: { database: "events_storage", owner: "app_events" } },
  });
});

test("a Cluster has what the spec says of it", () => {
  const pipeline = givenPipeline((spec) => {
    const synchronous = { method: "any" as const, number: 1 };
    spec.database = {
      cluster: { instances: 3, storage: { size: 5, storageClass: "fast" }, imageName: "pg:17", synchronous },
    };
  });
  expect(buildDatabaseCluster(pipeline)[0]?.spec).toMatchObject({
    instances: 3,
    storage: { size: "5", storageClass: "fast" },
    imageName: "pg:17",
    postgresql: { synchronous: { method: "any", number: 1, failoverQuorum: true } },
  });
});

test.each([
  [1, undefined, undefined],
  [2, undefined, { method: "any", number: 1 }],
  [3, undefined, { method: "any", number: 1, failoverQuorum: true }],
  [3, { method: "first" as const, number: 2 }, { method: "first", number: 2, failoverQuorum: true }],
  [3, { method: "any" as const, number: 0 }, undefined],
])("of %i instances commits wait for standbys, unless the spec says otherwise: %j", (instances, given, expected) => {
  const pipeline = givenPipeline((spec) => {
    const synchronous = given === undefined ? {} : { synchronous: given };
    spec.database = { cluster: { instances, storage: { size: 5 }, ...synchronous } };
  });
  const { postgresql } = buildDatabaseCluster(pipeline)[0]?.spec as { postgresql?: { synchronous: unknown } };
  expect(postgresql?.synchronous).toEqual(expected);
});

test("one place is made and never both", () => {
  expect(buildDatabaseRole(givenPipeline())).toEqual([]);
  expect(buildDatabase(givenPipeline())).toEqual([]);
  expect(buildDatabaseCluster(shared())).toEqual([]);
});

test.each([
  ["Retain", "retain"],
  ["Delete", "delete"],
] as const)("under %s, PostgreSQL's role and database are to %s", (policy, reclaim) => {
  expect(buildDatabaseRole(shared(policy))[0]?.spec).toMatchObject({ databaseRoleReclaimPolicy: reclaim });
  expect(buildDatabase(shared(policy))[0]?.spec).toMatchObject({ databaseReclaimPolicy: reclaim, owner: "app_events" });
});

test("the Secret goes with its role, so that the operator need not delete secrets, and is read again when it changes", () => {
  const [role] = buildDatabaseRole(shared());
  if (role === undefined) throw new TypeError("a role is planned");
  const secret = buildDatabaseSecret(shared(), { ...role, metadata: { ...role.metadata, uid: "r" } }, "pw");
  expect(secret.metadata.ownerReferences).toMatchObject([{ kind: "DatabaseRole", uid: "r" }]);
  expect(secret.metadata.labels).toMatchObject({ "cnpg.io/reload": "true" });
  expect(secret["stringData"]).toEqual({
    host: "shared-rw.ns.svc",
    port: "5432",
    dbname: "app_events",
    username: "app_events",
    password: "pw",
  });
});
