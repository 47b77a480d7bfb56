/** Removes a replication slot and its publication from the database that has them. */
import { Connection } from "@caudal/workloads/postgres/connection";
import { removeReplication } from "@caudal/workloads/postgres/replication";
import { WorkloadError } from "@caudal/workloads/runtime/errors";
import type { KubeClient } from "../kube/client.ts";
import { KubeError } from "../kube/errors.ts";
import { resources } from "../kube/object.ts";
import type { Slot } from "../plan/slots.ts";

/** It is still there, as far as we know. */
export class SlotNotRemoved extends KubeError {
  readonly code = "ESLOTNOTREMOVED";
  readonly reason = "SlotNotRemoved";
  /** Trying again may help. */
  readonly retryable: boolean;

  constructor(slot: Slot, why: string, retryable: boolean, cause?: unknown) {
    super(
      `the replication slot ${slot.name} in the database of Secret/${slot.secret} could not be removed (${why}): until it is, ` +
        `the database keeps its log; run there: select pg_drop_replication_slot('${slot.name}'); drop publication if exists ${slot.name}`,
      { cause },
    );
    this.retryable = retryable;
  }
}

/** A name without a point is that of a Service beside the Secret: CloudNativePG's are, and we are in another namespace. */
export function hostFrom(namespace: string, host: string): string {
  return /^[a-z][-a-z0-9]*$/.test(host) && host !== "localhost" ? `${host}.${namespace}.svc` : host;
}

/** @throws SlotNotRemoved */
export async function removeSlot(client: KubeClient, namespace: string, slot: Slot): Promise<void> {
  const secret = await client.get(resources.secret, namespace, slot.secret);
  if (secret === undefined) throw new SlotNotRemoved(slot, "the Secret does not exist", false);
  const data = (secret["data"] ?? {}) as Record<string, string>;
  const value = (key: string): string => Buffer.from(data[key] ?? "", "base64").toString();
  const login = {
    host: hostFrom(namespace, value("host")),
    port: Number(value("port")),
    database: value("dbname"),
    user: value("username"),
    password: value("password"),
  };
  try {
    const connection = await Connection.open({ secret: login, applicationName: `caudal operator ${namespace}` });
    try {
      await removeReplication(connection, slot.name);
    } finally {
      await connection.close();
    }
  } catch (error) {
    if (!(error instanceof WorkloadError)) throw error;
    throw new SlotNotRemoved(slot, error.message, error.retryable, error);
  }
}
