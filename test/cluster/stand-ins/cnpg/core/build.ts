import { managedBy, namespaceOf, ownedBy } from "../../core/objects.ts";
import type { KubeObject, Metadata } from "../../core/objects.ts";
import { application, clusterLabel, instanceName, reloadLabel } from "./types.ts";
import type { Cluster } from "./types.ts";

/** The image of the database; assembled by the cluster's tool. */
export const postgresImage = "localhost/caudal/dev-postgres:17";
export const port = 5432;
const binaries = "/usr/lib/postgresql/17/bin";
const volume = "/var/lib/postgresql/data";
const data = `${volume}/pgdata`;
const sockets = "/run/postgresql";
const user = 26;

/** The secret with the superuser's password, which is the stand-in's own. */
export function adminSecretName(cluster: string): string {
  return `${cluster}-postgres-stand-in`;
}

/** The secret with the authority that clients trust, and the one with the server's certificate. */
export const caSecretName = (cluster: string): string => `${cluster}-ca`;
export const serverSecretName = (cluster: string): string => `${cluster}-server`;

/** Where the pod finds the latter. */
const certificates = "/etc/stand-in-server";

/** The names that the server's certificate is of: its three services', short and long. */
export function serverNames(cluster: Cluster): string[] {
  const name = cluster.metadata.name;
  const namespace = namespaceOf(cluster);
  return ["rw", "r", "ro"].flatMap((suffix) =>
    ["", `.${namespace}`, `.${namespace}.svc`, `.${namespace}.svc.cluster.local`].map(
      (rest) => `${name}-${suffix}${rest}`,
    ),
  );
}

/** @param kind Opaque with ca.crt and ca.key, or kubernetes.io/tls with tls.crt and tls.key */
export function buildCertificateSecret(
  cluster: Cluster,
  name: string,
  kind: "Opaque" | "kubernetes.io/tls",
  { certificate, key }: { readonly certificate: string; readonly key: string },
): KubeObject {
  const prefix = kind === "Opaque" ? "ca" : "tls";
  const values = { [`${prefix}.crt`]: certificate, [`${prefix}.key`]: key };
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name,
      namespace: namespaceOf(cluster),
      labels: { ...managedBy, [clusterLabel]: cluster.metadata.name, [reloadLabel]: "true" },
      ownerReferences: [ownedBy(cluster)],
    },
    type: kind,
    data: Object.fromEntries(
      Object.entries(values).map(([file, text]) => [file, Buffer.from(text).toString("base64")]),
    ),
  } as KubeObject;
}

/** The host by which the primary is reached. */
export function primaryHost(cluster: Cluster): string {
  return `${cluster.metadata.name}-rw.${namespaceOf(cluster)}.svc`;
}

/** initdb once, into a folder that gets its name when it is whole; then the server. */
const startScript = [
  "set -eu",
  `if [ ! -s ${data}/PG_VERSION ]; then`,
  `  rm -rf ${data} ${data}.new`,
  `  initdb --pgdata ${data}.new --username postgres --pwfile /etc/stand-in-admin/password --auth-local peer \\`,
  "    --auth-host scram-sha-256 --encoding UTF8 --locale C",
  `  mv ${data}.new ${data}`,
  "fi",
  `chmod 0700 ${data}`,
  `exec postgres -D ${data} -c config_file=/etc/stand-in/postgresql.conf`,
  "",
].join("\n");

function files(cluster: Cluster): Record<string, string> {
  const parameters: Record<string, string> = {
    wal_level: "logical",
    timezone: "Etc/UTC",
    log_timezone: "Etc/UTC",
    ...cluster.spec?.postgresql?.parameters,
    listen_addresses: "*",
    port: String(port),
    unix_socket_directories: sockets,
    hba_file: "/etc/stand-in/pg_hba.conf",
    ssl: "on",
    ssl_cert_file: `${certificates}/tls.crt`,
    ssl_key_file: `${certificates}/tls.key`,
  };
  const quoted = ([key, value]: [string, string]) => `${key} = '${value.replaceAll("'", "''")}'\n`;
  return {
    "postgresql.conf": Object.entries(parameters).sort().map(quoted).join(""),
    "pg_hba.conf": "local all postgres peer\nhost all all all scram-sha-256\n",
    "start.sh": startScript,
    passwd: `root:x:0:0:root:/root:/bin/sh\npostgres:x:${String(user)}:${String(user)}:PostgreSQL:/var/lib/postgresql:/bin/sh\n`,
  };
}

/** All objects of a Cluster but its secrets, sorted as they are applied. `checksum` rolls the pod when it changes. */
export function buildCluster(cluster: Cluster, checksum: (text: string) => string): KubeObject[] {
  const name = cluster.metadata.name;
  const labels = { ...managedBy, [clusterLabel]: name };
  const metadata = (own: string): Metadata => ({
    name: own,
    namespace: namespaceOf(cluster),
    labels,
    ownerReferences: [ownedBy(cluster)],
  });
  const podLabels = {
    ...labels,
    "cnpg.io/podRole": "instance",
    "cnpg.io/instanceName": instanceName(cluster),
    "cnpg.io/instanceRole": "primary",
    role: "primary",
  };
  const service = (suffix: string, selector: Record<string, string>): KubeObject => ({
    apiVersion: "v1",
    kind: "Service",
    metadata: metadata(`${name}-${suffix}`),
    spec: { ports: [{ name: "postgres", port, targetPort: port }], selector: { [clusterLabel]: name, ...selector } },
  });
  const { size = "1Gi", storageClass } = cluster.spec?.storage ?? {};
  const content = files(cluster);
  return [
    { apiVersion: "v1", kind: "ConfigMap", metadata: metadata(`${name}-stand-in`), data: content } as KubeObject,
    service("r", { "cnpg.io/podRole": "instance" }),
    service("ro", { "cnpg.io/instanceRole": "replica" }),
    service("rw", { "cnpg.io/instanceRole": "primary" }),
    {
      apiVersion: "apps/v1",
      kind: "StatefulSet",
      metadata: metadata(name),
      spec: {
        replicas: 1,
        ordinals: { start: 1 },
        serviceName: `${name}-r`,
        podManagementPolicy: "Parallel",
        selector: { matchLabels: { [clusterLabel]: name, "cnpg.io/podRole": "instance" } },
        persistentVolumeClaimRetentionPolicy: { whenDeleted: "Delete", whenScaled: "Retain" },
        template: {
          metadata: { labels: podLabels, annotations: { "caudal.dev/config-hash": checksum(JSON.stringify(content)) } },
          spec: podSpec(cluster),
        },
        volumeClaimTemplates: [
          {
            apiVersion: "v1",
            kind: "PersistentVolumeClaim",
            metadata: { name: "pgdata", labels },
            spec: {
              accessModes: ["ReadWriteOnce"],
              resources: { requests: { storage: size } },
              ...(storageClass === undefined ? {} : { storageClassName: storageClass }),
            },
          },
        ],
      },
    },
  ];
}

function podSpec(cluster: Cluster): Record<string, unknown> {
  const answers = { exec: { command: [`${binaries}/pg_isready`, "-q", "-h", sockets] }, timeoutSeconds: 5 };
  const emptyDirs = [
    ["run", sockets],
    ["tmp", "/tmp"],
  ];
  return {
    enableServiceLinks: false,
    automountServiceAccountToken: false,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: user,
      runAsGroup: user,
      fsGroup: user,
      seccompProfile: { type: "RuntimeDefault" },
    },
    terminationGracePeriodSeconds: 60,
    containers: [
      {
        name: "postgres",
        image: postgresImage,
        imagePullPolicy: "IfNotPresent",
        command: ["/bin/sh", "/etc/stand-in/start.sh"],
        env: [
          { name: "PATH", value: `${binaries}:/usr/local/bin:/usr/bin:/bin` },
          { name: "PGHOST", value: sockets },
        ],
        // Unlike SIGTERM, which waits for clients to leave.
        lifecycle: { preStop: { exec: { command: [`${binaries}/pg_ctl`, "-D", data, "-m", "fast", "stop"] } } },
        securityContext: {
          allowPrivilegeEscalation: false,
          capabilities: { drop: ["ALL"] },
          readOnlyRootFilesystem: true,
        },
        ...(cluster.spec?.resources === undefined ? {} : { resources: cluster.spec.resources }),
        ports: [{ name: "postgresql", containerPort: port }],
        startupProbe: { ...answers, periodSeconds: 1, failureThreshold: 600 },
        // Once it has answered, a connection is enough: each probe that runs a program starts a container process.
        readinessProbe: { tcpSocket: { port }, timeoutSeconds: 5, periodSeconds: 5 },
        livenessProbe: { tcpSocket: { port }, timeoutSeconds: 5, periodSeconds: 10, failureThreshold: 6 },
        volumeMounts: [
          { name: "pgdata", mountPath: volume },
          { name: "config", mountPath: "/etc/stand-in", readOnly: true },
          { name: "config", mountPath: "/etc/passwd", subPath: "passwd", readOnly: true },
          { name: "admin", mountPath: "/etc/stand-in-admin", readOnly: true },
          { name: "server", mountPath: certificates, readOnly: true },
          { name: "shm", mountPath: "/dev/shm" },
          ...emptyDirs.map(([name, mountPath]) => ({ name, mountPath })),
        ],
      },
    ],
    volumes: [
      { name: "config", configMap: { name: `${cluster.metadata.name}-stand-in` } },
      {
        name: "admin",
        secret: { secretName: adminSecretName(cluster.metadata.name), items: [{ key: "password", path: "password" }] },
      },
      // PostgreSQL takes a key that root owns, and only its group may read.
      { name: "server", secret: { secretName: serverSecretName(cluster.metadata.name), defaultMode: 0o440 } },
      { name: "shm", emptyDir: { medium: "Memory" } },
      ...emptyDirs.map(([name]) => ({ name, emptyDir: {} })),
    ],
  };
}

/** The secret by which an application finds and enters its database. */
export function buildAppSecret(cluster: Cluster, password: string): KubeObject {
  const { database, owner, secret } = application(cluster);
  const host = `${cluster.metadata.name}-rw`;
  const near = `${host}.${namespaceOf(cluster)}:${String(port)}`;
  const far = `${host}.${namespaceOf(cluster)}.svc.cluster.local:${String(port)}`;
  const uri = (at: string) =>
    `postgresql://${encodeURIComponent(owner)}:${encodeURIComponent(password)}@${at}/${encodeURIComponent(database)}`;
  const query = new URLSearchParams({ password, user: owner }).toString();
  const jdbc = (at: string) => `jdbc:postgresql://${at}/${encodeURIComponent(database)}?${query}`;
  const values = {
    username: owner,
    user: owner,
    password,
    dbname: database,
    host,
    port: String(port),
    pgpass: `${host}:${String(port)}:${database}:${owner}:${password}\n`,
    uri: uri(near),
    "jdbc-uri": jdbc(near),
    "fqdn-uri": uri(far),
    "fqdn-jdbc-uri": jdbc(far),
  };
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name: secret,
      namespace: namespaceOf(cluster),
      labels: { ...managedBy, [clusterLabel]: cluster.metadata.name, [reloadLabel]: "true", "cnpg.io/userType": "app" },
      ownerReferences: [ownedBy(cluster)],
    },
    type: "kubernetes.io/basic-auth",
    data: Object.fromEntries(
      Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString("base64")]),
    ),
  } as KubeObject;
}
