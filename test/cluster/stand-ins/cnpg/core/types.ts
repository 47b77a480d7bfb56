import type { Condition } from "../../core/conditions.ts";
import type { KubeObject } from "../../core/objects.ts";

export const clusterLabel = "cnpg.io/cluster";
/** A secret that carries this label is watched for a new password; without it a change waits for the next occasion. */
export const reloadLabel = "cnpg.io/reload";

export type Cluster = KubeObject<
  {
    instances: number;
    bootstrap?: { initdb?: { database?: string; owner?: string; secret?: { name: string } } };
    storage?: { size?: string; storageClass?: string };
    resources?: object;
    postgresql?: { parameters?: Record<string, string> };
  },
  { conditions?: Condition[]; phase?: string }
>;

export interface Applied {
  applied?: boolean;
  message?: string;
  observedGeneration?: number;
}

export type Database = KubeObject<
  {
    name: string;
    owner: string;
    cluster: { name: string };
    ensure?: "present" | "absent";
    databaseReclaimPolicy?: "retain" | "delete";
    connectionLimit?: number;
    allowConnections?: boolean;
  },
  Applied
>;

export type DatabaseRole = KubeObject<
  {
    name: string;
    cluster: { name: string };
    login?: boolean;
    superuser?: boolean;
    createdb?: boolean;
    createrole?: boolean;
    inherit?: boolean;
    replication?: boolean;
    bypassrls?: boolean;
    connectionLimit?: number;
    validUntil?: string;
    comment?: string;
    inRoles?: string[];
    passwordSecret?: { name: string };
    disablePassword?: boolean;
    ensure?: string;
    databaseRoleReclaimPolicy?: "retain" | "delete";
  },
  Applied & { conditions?: Condition[]; secretResourceVersion?: string }
>;

/** The one instance of a cluster; CloudNativePG counts from one. */
export function instanceName(cluster: Cluster): string {
  return `${cluster.metadata.name}-1`;
}

/** The name of the cluster's first database and of its owner. */
export function application(cluster: Cluster): { database: string; owner: string; secret: string } {
  const { database, owner, secret } = cluster.spec?.bootstrap?.initdb ?? {};
  const name = database ?? "app";
  return { database: name, owner: owner ?? name, secret: secret?.name ?? `${cluster.metadata.name}-app` };
}
