import { checkServerIdentity, type PeerCertificate } from "node:tls";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ApiError } from "../cluster/stand-ins/kube/client.ts";
import { TestNamespace, condition, until } from "./cluster.ts";
import type { Observed } from "./cluster.ts";

const primary = "cnpg.io/cluster=contract,cnpg.io/instanceRole=primary";
/** Real operators pull images; what failed they try again every thirty seconds. */
const startSeconds = 600;

const database = (name: string, rest: string) => `
apiVersion: postgresql.cnpg.io/v1
kind: Database
metadata: {name: ${name}}
spec: {cluster: {name: contract}, ${rest}}`;
const role = (name: string, rest: string) => `
apiVersion: postgresql.cnpg.io/v1
kind: DatabaseRole
metadata: {name: ${name}}
spec: {cluster: {name: contract}, ${rest}}`;
/** The label asks the operator to watch the secret; without it a new password is not noticed. */
const login = (name: string, username: string, password: string) => `
apiVersion: v1
kind: Secret
metadata: {name: ${name}, labels: {cnpg.io/reload: "true"}}
type: kubernetes.io/basic-auth
stringData: {username: ${username}, password: ${password}}`;

const cluster = `
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: contract}
spec:
  instances: 1
  storage: {size: 1Gi}
  bootstrap: {initdb: {database: events, owner: events}}
  postgresql: {parameters: {max_connections: "50"}}
  resources: {requests: {cpu: 50m, memory: 128Mi}, limits: {memory: 512Mi}}`;
const healthy = ({ status }: Observed) => status?.["phase"] === "Cluster in healthy state";

let namespace: TestNamespace;
let port = 0;

interface Login {
  user: string;
  password: string;
  database: string;
}

async function query(as: Login, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ ...as, host: "127.0.0.1", port, connectionTimeoutMillis: 5_000, query_timeout: 10_000 });
  client.on("error", () => undefined); // the query that it interrupts is rejected with it
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** Whether PostgreSQL lets in; anything but its refusal is thrown on. */
async function letsIn(as: Login): Promise<boolean> {
  try {
    await query(as, "select 1");
    return true;
  } catch (error) {
    const refusals = ["28P01", "28000", "3D000"];
    if (error instanceof Error && "code" in error && refusals.includes(String(error.code))) return false;
    throw error;
  }
}

async function app(): Promise<Login & Record<string, string>> {
  const values = await until("the application's secret", () => namespace.secret("contract-app"));
  return {
    ...values,
    user: values["user"] ?? "",
    password: values["password"] ?? "",
    database: values["dbname"] ?? "",
  };
}

const applied = ({ status, metadata }: Observed) =>
  status?.applied === true && status.observedGeneration === metadata.generation;
const failed = ({ status }: Observed) => status?.applied === false && (status.message ?? "") !== "";

beforeAll(async () => {
  namespace = await TestNamespace.create("cnpg");
  await namespace.apply(login("early", "early", "the-first-password"));
  await namespace.apply(role("early", "name: early, login: true, passwordSecret: {name: early}"));
  await namespace.apply(database("early", "name: early, owner: early"));
  await namespace.apply(cluster);
  await namespace.when("Cluster", "contract", "healthy", healthy, startSeconds);
  port = await namespace.forward(primary, 5432);
});

afterAll(async () => {
  await namespace.remove(["Database", "DatabaseRole", "Cluster"]);
});

describe("a Cluster", () => {
  test("that is healthy says so in conditions, and where its instance and services are", async () => {
    const ready = (object: Observed) => condition(object, "Ready")?.status === "True";
    const object = await namespace.when("Cluster", "contract", "ready", ready);
    expect(condition(object, "Ready")?.reason).toBe("ClusterIsReady");
    expect(condition(object, "Initialized")?.status).toBe("True");
    expect(condition(object, "ConsistentSystemID")?.status).toBe("True");
    expect(object.status).toMatchObject({
      instances: 1,
      readyInstances: 1,
      currentPrimary: "contract-1",
      writeService: "contract-rw",
      readService: "contract-r",
    });
    for (const name of ["contract-rw", "contract-ro", "contract-r"]) {
      expect((await namespace.get("Service", name))?.metadata.name).toBe(name);
    }
  });

  test("has the secret of its authority, by which the server is trusted under the names of its services", async () => {
    const { "ca.crt": ca = "" } = await until("the authority's secret", () => namespace.secret("contract-ca"));
    const login = await app();
    for (const name of ["contract-rw", `contract-rw.${namespace.name}`, `contract-rw.${namespace.name}.svc`]) {
      const ssl = { ca, checkServerIdentity: (_: string, peer: PeerCertificate) => checkServerIdentity(name, peer) };
      const client = new Client({ ...login, host: "127.0.0.1", port, ssl, connectionTimeoutMillis: 5_000 });
      await client.connect();
      const { rows } = await client.query("select ssl from pg_catalog.pg_stat_ssl where pid = pg_backend_pid()");
      expect(rows).toEqual([{ ssl: true }]);
      await client.end();
    }
  });

  test("has the application's secret with all its keys, with which one can log in", async () => {
    const secret = await app();
    expect(Object.keys((await namespace.secret("contract-app")) ?? {}).sort()).toEqual(
      "dbname fqdn-jdbc-uri fqdn-uri host jdbc-uri password pgpass port uri user username".split(" "),
    );
    expect((await namespace.get("Secret", "contract-app")) as unknown).toMatchObject({
      type: "kubernetes.io/basic-auth",
    });
    expect(secret).toMatchObject({ username: "events", host: "contract-rw", port: "5432", dbname: "events" });
    const uri = new URL(secret["uri"] ?? "");
    expect([uri.protocol, uri.host, uri.pathname]).toEqual([
      "postgresql:",
      `contract-rw.${namespace.name}:5432`,
      "/events",
    ]);
    const rows = await query(secret, "select current_user::text as who, current_setting('max_connections') as most");
    expect(rows).toEqual([{ who: "events", most: "50" }]);
    expect(await letsIn({ ...secret, password: "another" })).toBe(false);
  });

  test("lets the owner of the database make tables, and is no superuser's", async () => {
    const secret = await app();
    await query(secret, "create table made_by_owner (id int)");
    const [row] = await query(secret, "select rolsuper, rolcreatedb from pg_roles where rolname = current_user");
    expect(row).toEqual({ rolsuper: false, rolcreatedb: false });
  });
});

describe("a DatabaseRole", () => {
  const early = (password: string) => ({ user: "early", password, database: "early" });

  test("and a Database made before their Cluster are applied afterwards, with finalizers", async () => {
    const itsRole = await namespace.when("DatabaseRole", "early", "applied", applied);
    const itsDatabase = await namespace.when("Database", "early", "applied", applied);
    expect(itsRole.metadata.finalizers).toContain("cnpg.io/deleteRole");
    expect(itsDatabase.metadata.finalizers).toContain("cnpg.io/deleteDatabase");
    await query(early("the-first-password"), "create table made_by_role (id int)");
  });

  test("takes over a password that is changed in its secret", async () => {
    const before = await namespace.when("DatabaseRole", "early", "applied", applied);
    await namespace.apply(login("early", "early", "the-second-password"));
    await until("the new password accepted", async () =>
      (await letsIn(early("the-second-password"))) ? true : undefined,
    );
    expect(await letsIn(early("the-first-password"))).toBe(false);
    const version = (await namespace.get("Secret", "early"))?.metadata.resourceVersion;
    expect(version).not.toBe(before.status?.["secretResourceVersion"]);
    const told = ({ status }: Observed) => status?.["secretResourceVersion"] === version;
    await namespace.when("DatabaseRole", "early", "tells the secret's version", told);
  });

  test("whose secret is missing is not applied, and is when the secret is there", async () => {
    await namespace.apply(role("later", "name: later, login: true, passwordSecret: {name: later}"));
    await namespace.when("DatabaseRole", "later", "waiting", failed);
    await namespace.apply(login("later", "later", "a-password"));
    await namespace.when("DatabaseRole", "later", "applied", applied);
    expect(await letsIn({ user: "later", password: "a-password", database: "postgres" })).toBe(true);
  });

  test("changes what the role may do and what it is a member of", async () => {
    const attributes = async () =>
      (
        await query(
          await app(),
          `select rolcanlogin, rolcreatedb, pg_has_role('member', 'early', 'member') as member
           from pg_roles where rolname = 'member'`,
        )
      )[0];
    await namespace.apply(role("member", "name: member, createdb: true"));
    await namespace.when("DatabaseRole", "member", "applied", applied);
    expect(await attributes()).toEqual({ rolcanlogin: false, rolcreatedb: true, member: false });
    await namespace.apply(role("member", "name: member, login: true, inRoles: [early]"));
    await namespace.when("DatabaseRole", "member", "changed", applied);
    const changed = { rolcanlogin: true, rolcreatedb: false, member: true };
    await until("the role changed", async () =>
      JSON.stringify(await attributes()) === JSON.stringify(changed) ? true : undefined,
    );
  });

  test("of a reserved name is refused by the API server", async () => {
    await expect(namespace.apply(role("reserved", "name: postgres"))).rejects.toThrow(ApiError);
    await expect(namespace.apply(role("reserved", "name: pg_something"))).rejects.toThrow(ApiError);
  });

  test("is dropped with its object when it is to be reclaimed, and kept otherwise", async () => {
    await namespace.apply(role("dropped", "name: dropped, databaseRoleReclaimPolicy: delete"));
    await namespace.apply(role("kept", "name: kept"));
    const names = async () =>
      (await query(await app(), "select rolname::text as name from pg_roles where rolname in ('dropped', 'kept')")).map(
        ({ name }) => name,
      );
    for (const name of ["dropped", "kept"]) await namespace.when("DatabaseRole", name, "applied", applied);
    expect((await names()).sort()).toEqual(["dropped", "kept"]);
    for (const name of ["dropped", "kept"]) {
      await namespace.delete("DatabaseRole", name);
      await namespace.whenGone("DatabaseRole", name);
    }
    expect(await names()).toEqual(["kept"]);
  });
});

describe("a Database", () => {
  const databases = async (...names: string[]) => {
    const list = names.map((name) => `'${name}'`).join(", ");
    const rows = await query(
      await app(),
      `select datname::text as name, pg_get_userbyid(datdba)::text as owner from pg_database where datname in (${list}) order by 1`,
    );
    return rows.map(({ name, owner }) => `${String(name)} of ${String(owner)}`);
  };

  test("whose owner is missing is not applied, and is when the role is there", async () => {
    await namespace.apply(database("orphan", "name: orphan, owner: parent"));
    await namespace.when("Database", "orphan", "waiting", failed);
    await namespace.apply(role("parent", "name: parent"));
    await namespace.when("Database", "orphan", "applied", applied);
    expect(await databases("orphan")).toEqual(["orphan of parent"]);
  });

  test("is handed over when its owner changes", async () => {
    await namespace.apply(database("handed", "name: handed, owner: events"));
    await namespace.when("Database", "handed", "applied", applied);
    await namespace.apply(database("handed", "name: handed, owner: early"));
    await namespace.when("Database", "handed", "applied", applied);
    expect(await databases("handed")).toEqual(["handed of early"]);
  });

  test("of a reserved name, or for another cluster than before, is refused by the API server", async () => {
    await expect(namespace.apply(database("reserved", "name: postgres, owner: events"))).rejects.toThrow(ApiError);
    const moved = database("early", "name: early, owner: early").replace("name: contract", "name: other");
    await expect(namespace.apply(moved)).rejects.toThrow(ApiError);
    await expect(namespace.apply(database("early", "name: renamed, owner: early"))).rejects.toThrow(ApiError);
  });

  test("that another Database manages is not applied", async () => {
    await namespace.apply(database("twin", "name: early, owner: events"));
    const twin = await namespace.when("Database", "twin", "refused", failed);
    expect(twin.status?.message).toContain("early");
    expect(await databases("early")).toEqual(["early of early"]);
  });

  test("is dropped with its object when it is to be reclaimed, and kept otherwise", async () => {
    await namespace.apply(database("dropped", "name: dropped, owner: events, databaseReclaimPolicy: delete"));
    await namespace.apply(database("kept", "name: kept, owner: events"));
    for (const name of ["dropped", "kept"]) await namespace.when("Database", name, "applied", applied);
    expect(await databases("dropped", "kept")).toEqual(["dropped of events", "kept of events"]);
    for (const name of ["dropped", "kept"]) {
      await namespace.delete("Database", name);
      await namespace.whenGone("Database", name);
    }
    expect(await databases("dropped", "kept")).toEqual(["kept of events"]);
  });

  test("that is to be absent is dropped", async () => {
    await namespace.apply(database("absent", "name: absent, owner: events"));
    await namespace.when("Database", "absent", "applied", applied);
    await namespace.apply(database("absent", "name: absent, owner: events, ensure: absent"));
    await until("no such database", async () => ((await databases("absent")).length === 0 ? true : undefined));
  });
});

describe("a Cluster that", () => {
  test("has its instance restarted keeps its data, passwords and health", async () => {
    const secret = await app();
    await query(secret, "create table kept_over_restart as select 42 as answer");
    await namespace.restart(primary);
    const rows = await until("an answer", () => query(secret, "select answer from kept_over_restart"));
    expect(rows).toEqual([{ answer: 42 }]);
    const ready = (object: Observed) => condition(object, "Ready")?.status === "True";
    await namespace.when("Cluster", "contract", "ready", ready, startSeconds);
  });

  test("is deleted lets its Databases and DatabaseRoles go, so that their deletion ends", async () => {
    await namespace.delete("Cluster", "contract");
    await namespace.whenGone("Cluster", "contract");
    for (const kind of ["Database", "DatabaseRole"] as const) {
      await namespace.when(kind, "early", "let go", ({ metadata }) => (metadata.finalizers ?? []).length === 0);
      await namespace.delete(kind, "early");
      await namespace.whenGone(kind, "early");
    }
    await namespace.whenGone("Secret", "contract-app");
  });

  test("is made again at once under its name comes up empty, with a secret that opens it", async () => {
    await namespace.apply(cluster);
    await namespace.when("Cluster", "contract", "healthy", healthy, startSeconds);
    const tables = async () => query(await app(), "select 1 from pg_tables where tablename = 'kept_over_restart'");
    expect(await until("an answer", tables)).toEqual([]);
  });
});
