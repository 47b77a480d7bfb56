import { describe, expect, test } from "vitest";
import { secretText } from "../../core/objects.ts";
import type { Secret } from "../../core/objects.ts";
import { buildAppSecret, buildCluster } from "./build.ts";
import { databaseStatements, roleStatements } from "./sql.ts";
import type { Cluster, Database } from "./types.ts";
import { clusterRefusal, databaseRefusal, rivalOf } from "./validate.ts";

const cluster = (spec: object = {}): Cluster => ({
  apiVersion: "postgresql.cnpg.io/v1",
  kind: "Cluster",
  metadata: { name: "db", namespace: "n", uid: "u" },
  spec: { instances: 1, storage: { size: "1Gi" }, ...spec },
});

const database = (name: string, spec: object = {}, status?: Database["status"]): Database => ({
  apiVersion: "postgresql.cnpg.io/v1",
  kind: "Database",
  metadata: { name, namespace: "n" },
  spec: { name: "events", owner: "events", cluster: { name: "db" }, ...spec },
  ...(status === undefined ? {} : { status }),
});

describe("what is refused", () => {
  test.each([
    ["replicas", { instances: 3 }, "spec.instances 3 (only 1)"],
    ["backups", { backup: {} }, "spec.backup"],
    ["a server's own parameters", { postgresql: { parameters: { ssl: "on", port: "1" } } }, "parameters.port"],
    ["a database without an owner", { bootstrap: { initdb: { database: "x" } } }, "both database and owner"],
    ["a reserved owner", { bootstrap: { initdb: { database: "x", owner: "postgres" } } }, "reserved"],
  ])("%s", (_, spec, words) => {
    expect(clusterRefusal(cluster(spec))).toContain(words);
  });

  test("extensions of a Database", () => {
    expect(databaseRefusal(database("a", { extensions: [] }))).toContain("spec.extensions");
    expect(databaseRefusal(database("a"))).toBeUndefined();
  });
});

test("of two objects for one database the one that was applied keeps it", () => {
  const applied = database("first", {}, { observedGeneration: 1 });
  const second = database("second");
  expect(rivalOf(second, [applied, second])).toBe(applied);
  expect(rivalOf(applied, [applied, second])).toBeUndefined();
  expect(rivalOf(second, [second, database("third")])).toBeUndefined();
});

test("the application's secret has every key, and its uri survives awkward characters", () => {
  const secret = buildAppSecret(cluster({ bootstrap: { initdb: { database: "e v", owner: "o@w" } } }), "p/w") as Secret;
  expect(secret.type).toBe("kubernetes.io/basic-auth");
  expect(Object.keys(secret.data ?? {}).sort()).toEqual([
    "dbname",
    "fqdn-jdbc-uri",
    "fqdn-uri",
    "host",
    "jdbc-uri",
    "password",
    "pgpass",
    "port",
    "uri",
    "user",
    "username",
  ]);
  const uri = new URL(secretText(secret, "uri") ?? "");
  expect(uri.host).toBe("db-rw.n:5432");
  expect([uri.username, uri.password, uri.pathname].map(decodeURIComponent)).toEqual(["o@w", "p/w", "/e v"]);
});

test("the pod is named and labelled as CloudNativePG's first instance", () => {
  const set = buildCluster(cluster(), () => "sum").at(-1);
  expect(set).toMatchObject({
    metadata: { name: "db" },
    spec: {
      ordinals: { start: 1 },
      template: { metadata: { labels: { "cnpg.io/cluster": "db", "cnpg.io/instanceRole": "primary" } } },
    },
  });
});

test("roles are made, altered, and granted what they lack", () => {
  const spec = { name: 'a"b', cluster: { name: "db" }, login: true, inRoles: ["x", "y"], comment: "it's" };
  expect(roleStatements(spec, true, ["y", "z"], "p'w")).toEqual([
    `ALTER ROLE "a""b" WITH NOSUPERUSER NOCREATEDB NOCREATEROLE INHERIT LOGIN NOREPLICATION NOBYPASSRLS CONNECTION LIMIT -1 PASSWORD 'p''w'`,
    `COMMENT ON ROLE "a""b" IS 'it''s'`,
    `GRANT "x" TO "a""b"`,
    `REVOKE "z" FROM "a""b"`,
  ]);
  expect(roleStatements({ ...spec, disablePassword: true }, false, [], undefined)[0]).toMatch(
    /^CREATE ROLE .* PASSWORD NULL$/,
  );
});

test("databases are made with their owner, handed over, and dropped", () => {
  const spec = { name: "events", owner: "o", cluster: { name: "db" }, connectionLimit: 5 };
  expect(databaseStatements(spec, false)).toEqual([`CREATE DATABASE "events" OWNER "o" CONNECTION LIMIT 5`]);
  expect(databaseStatements(spec, true)).toEqual([
    `ALTER DATABASE "events" OWNER TO "o"`,
    `ALTER DATABASE "events" WITH CONNECTION LIMIT 5`,
  ]);
  expect(databaseStatements({ ...spec, ensure: "absent" }, true)).toEqual([`DROP DATABASE IF EXISTS "events"`]);
});
