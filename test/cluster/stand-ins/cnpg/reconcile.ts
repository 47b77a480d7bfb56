import { createHash, randomBytes } from "node:crypto";
import { namespaceOf, secretText } from "../core/objects.ts";
import type { Secret, StatefulSet } from "../core/objects.ts";
import { belongsTo, ensureAdminSecret } from "../admin-secret.ts";
import { podReady, setFinalizer, writeStatus } from "../context.ts";
import type { Context } from "../context.ts";
import { ApiError } from "../kube/client.ts";
import { makeAuthority, makeServerCertificate } from "../core/certificate.ts";
import {
  adminSecretName,
  buildAppSecret,
  buildCertificateSecret,
  buildCluster,
  caSecretName,
  primaryHost,
  serverNames,
  serverSecretName,
} from "./core/build.ts";
import { databaseStatements, identifier, literal } from "./core/sql.ts";
import { clusterStatus, refusedStatus } from "./core/status.ts";
import { application, reloadLabel } from "./core/types.ts";
import type { Cluster } from "./core/types.ts";
import { clusterRefusal } from "./core/validate.ts";
import { databaseFinalizer, reconcileDatabases } from "./databases.ts";
import { Superuser } from "./postgres.ts";
import { reconcileRoles, roleFinalizer } from "./roles.ts";

const resyncMs = 30_000;
const namesakeMs = 1_000;
const initialized = "caudal.dev/initialized";

/** The versions of the application's secrets whose passwords this process has set. */
const passwordsSet = new Map<string, string>();

/** Brings one Cluster, its roles and its databases to what their resources say; answers when to look again. */
export async function reconcileCluster(context: Context, key: string): Promise<number> {
  const [namespace = "", name = ""] = key.split("/");
  const cluster = context.clusters.get(namespace, name);
  if (cluster === undefined || cluster.metadata.deletionTimestamp !== undefined) {
    await releaseOrphans(context, namespace, name);
    return Infinity;
  }
  const refused = clusterRefusal(cluster);
  if (refused !== undefined) return refuse(context, cluster, refused);
  const admin = await ensureAdminSecret(context, cluster, adminSecretName(name));
  if (admin === undefined || !belongsTo(context.statefulSets.get(namespace, name), cluster)) {
    await writeStatus(context, cluster, clusterStatus(cluster, false, false));
    return namesakeMs; // until what a deleted Cluster of this name left is gone
  }
  if (!(await ensureCertificates(context, cluster))) {
    await writeStatus(context, cluster, clusterStatus(cluster, false, false));
    return namesakeMs;
  }
  const app = await ensureAppSecret(context, cluster);
  let statefulSet = {} as StatefulSet;
  try {
    for (const object of buildCluster(cluster, checksum))
      statefulSet = await context.client.apply(object as StatefulSet);
  } catch (error) {
    if (!(error instanceof ApiError && error.statusCode === 422)) throw error;
    return refuse(context, cluster, `the API server refuses it: ${error.message}`);
  }
  const wasInitialized = admin.metadata.annotations?.[initialized] !== undefined;
  if (!podReady(statefulSet) || app === undefined) {
    await writeStatus(context, cluster, clusterStatus(cluster, false, wasInitialized));
    return app === undefined ? namesakeMs : resyncMs;
  }
  let databasesMs: number;
  const superuser = await Superuser.open(primaryHost(cluster), secretText(admin, "password") ?? "");
  try {
    await ensureApplication(context, cluster, superuser, admin, app);
    await writeStatus(context, cluster, clusterStatus(cluster, true, true));
    await reconcileRoles(context, cluster, superuser);
    databasesMs = await reconcileDatabases(context, cluster, superuser);
  } finally {
    await superuser.close();
  }
  return Math.min(resyncMs, databasesMs);
}

async function refuse(context: Context, cluster: Cluster, message: string): Promise<number> {
  await writeStatus(context, cluster, refusedStatus(message));
  return Infinity;
}

function checksum(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/** The authority and the server's certificate, made once. @returns false while those of a deleted namesake are there */
async function ensureCertificates(context: Context, cluster: Cluster): Promise<boolean> {
  const namespace = namespaceOf(cluster);
  const [ca, server] = [caSecretName(cluster.metadata.name), serverSecretName(cluster.metadata.name)];
  const now = new Date();
  let authority = await context.client.get<Secret>("Secret", namespace, ca);
  if (authority !== undefined && !belongsTo(authority, cluster)) return false;
  if (authority === undefined) {
    const made = makeAuthority(cluster.metadata.name, now);
    await context.client.create(buildCertificateSecret(cluster, ca, "Opaque", made));
    authority = await context.client.get<Secret>("Secret", namespace, ca);
  }
  const present = await context.client.get<Secret>("Secret", namespace, server);
  if (present !== undefined) return belongsTo(present, cluster);
  const by = { certificate: secretText(authority, "ca.crt") ?? "", key: secretText(authority, "ca.key") ?? "" };
  const made = makeServerCertificate(by, serverNames(cluster), now);
  await context.client.create(buildCertificateSecret(cluster, server, "kubernetes.io/tls", made));
  return true;
}

/** The application's secret: made here, or given by the user and then waited for. */
async function ensureAppSecret(context: Context, cluster: Cluster): Promise<Secret | undefined> {
  const name = application(cluster).secret;
  const given = cluster.spec?.bootstrap?.initdb?.secret !== undefined;
  const present = await context.client.get<Secret>("Secret", namespaceOf(cluster), name);
  if (present !== undefined || given) return given || belongsTo(present, cluster) ? present : undefined;
  await context.client.create(buildAppSecret(cluster, randomBytes(32).toString("hex")));
  return context.client.get<Secret>("Secret", namespaceOf(cluster), name);
}

/** The first database and its owner, made once; the owner's password whenever its secret changes. */
async function ensureApplication(
  context: Context,
  cluster: Cluster,
  superuser: Superuser,
  admin: Secret,
  app: Secret,
): Promise<void> {
  const { database, owner } = application(cluster);
  const first = admin.metadata.annotations?.[initialized] === undefined;
  const version = app.metadata.resourceVersion ?? "";
  const known = passwordsSet.get(cluster.metadata.uid ?? "");
  const reload = app.metadata.labels?.[reloadLabel] !== undefined;
  if (first || known === undefined || (reload && known !== version)) {
    const role = identifier(owner);
    const password = literal(secretText(app, "password") ?? "");
    if ((await superuser.membershipsOf(owner)) === undefined) await superuser.run([`CREATE ROLE ${role} LOGIN`]);
    await superuser.run([`ALTER ROLE ${role} PASSWORD ${password}`]);
    passwordsSet.set(cluster.metadata.uid ?? "", version);
  }
  if (!first) return;
  if (!(await superuser.databaseExists(database))) {
    await superuser.run(databaseStatements({ name: database, owner, cluster: { name: cluster.metadata.name } }, false));
  }
  const secret = await context.client.get<Secret>("Secret", namespaceOf(admin), admin.metadata.name);
  if (secret !== undefined)
    await context.client.merge(secret, { metadata: { annotations: { [initialized]: "true" } } });
}

/** When a Cluster goes, what it held cannot be asked any more: its roles and databases are let go. */
async function releaseOrphans(context: Context, namespace: string, name: string): Promise<void> {
  const status = { applied: false, message: "the Cluster has been deleted; nothing is applied any more" };
  for (const [store, finalizer] of [
    [context.databases, databaseFinalizer],
    [context.roles, roleFinalizer],
  ] as const) {
    for (const object of store.inNamespace(namespace)) {
      if (object.spec?.cluster.name !== name || !object.metadata.finalizers?.includes(finalizer)) continue;
      await writeStatus(context, object, status);
      const fresh = await context.client.get(store.kind, namespace, object.metadata.name);
      if (fresh !== undefined) await setFinalizer(context, fresh, finalizer, false);
    }
  }
}
