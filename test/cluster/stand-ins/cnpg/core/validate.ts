import { refusal, unhonoured } from "../../core/honoured.ts";
import type { Honoured } from "../../core/honoured.ts";
import type { Cluster, Database, DatabaseRole } from "./types.ts";

const operator = "CloudNativePG";

export const honouredCluster: Honoured = {
  instances: true,
  bootstrap: { initdb: { database: true, owner: true, secret: { name: true } } },
  storage: { size: true, storageClass: true },
  resources: true,
  postgresql: { parameters: true },
};

export const honouredDatabase: Honoured = {
  name: true,
  owner: true,
  cluster: true,
  ensure: true,
  databaseReclaimPolicy: true,
  connectionLimit: true,
  allowConnections: true,
};

export const honouredRole: Honoured = {
  name: true,
  cluster: true,
  login: true,
  superuser: true,
  createdb: true,
  createrole: true,
  inherit: true,
  replication: true,
  bypassrls: true,
  connectionLimit: true,
  validUntil: true,
  comment: true,
  inRoles: true,
  passwordSecret: true,
  disablePassword: true,
  ensure: true,
  databaseRoleReclaimPolicy: true,
};

/** Parameters that are the operator's own business, there as here. */
const ownParameters = [
  "archive_command",
  "archive_mode",
  "cluster_name",
  "config_file",
  "data_directory",
  "external_pid_file",
  "hba_file",
  "ident_file",
  "include",
  "include_dir",
  "include_if_exists",
  "listen_addresses",
  "log_destination",
  "logging_collector",
  "port",
  "primary_conninfo",
  "restart_after_crash",
  "restore_command",
  "shared_preload_libraries",
  "ssl",
  "synchronous_standby_names",
  "unix_socket_directories",
];

/** What keeps a Cluster from running here, in a sentence. */
export function clusterRefusal(cluster: Cluster): string | undefined {
  const paths = unhonoured(cluster.spec, honouredCluster, "spec");
  const instances = cluster.spec?.instances ?? 1;
  if (instances !== 1) paths.push(`spec.instances ${String(instances)} (only 1)`);
  for (const name of Object.keys(cluster.spec?.postgresql?.parameters ?? {}).sort()) {
    if (ownParameters.includes(name) || name.startsWith("ssl_")) paths.push(`spec.postgresql.parameters.${name}`);
  }
  if (paths.length > 0) return refusal(paths, operator);
  const { database, owner } = cluster.spec?.bootstrap?.initdb ?? {};
  if ((database === undefined) !== (owner === undefined))
    return "spec.bootstrap.initdb needs both database and owner, or neither";
  if (owner === "postgres" || owner === "streaming_replica")
    return `spec.bootstrap.initdb.owner: the role ${owner} is reserved`;
  return undefined;
}

/** What keeps a Database from being honoured, in a sentence. */
export function databaseRefusal(database: Database): string | undefined {
  const paths = unhonoured(database.spec, honouredDatabase, "spec");
  return paths.length > 0 ? refusal(paths, operator) : undefined;
}

/** What keeps a DatabaseRole from being honoured, in a sentence. */
export function roleRefusal(role: DatabaseRole): string | undefined {
  const paths = unhonoured(role.spec, honouredRole, "spec");
  return paths.length > 0 ? refusal(paths, operator) : undefined;
}

/** Of several objects for one thing in PostgreSQL, the first to have been applied keeps it. */
export function rivalOf<T extends Database | DatabaseRole>(object: T, all: readonly T[]): T | undefined {
  if ((object.status?.observedGeneration ?? 0) > 0) return undefined;
  return all.find(
    (other) =>
      other.metadata.name !== object.metadata.name &&
      other.spec?.cluster.name === object.spec?.cluster.name &&
      other.spec?.name === object.spec?.name &&
      (other.status?.observedGeneration ?? 0) > 0,
  );
}
