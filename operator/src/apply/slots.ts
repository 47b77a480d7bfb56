/** Removes a replication slot and its publication from the database that has them. */
import { isDeepStrictEqual } from "node:util";
import { Connection } from "@caudal/workloads/postgres/connection";
import { removeReplication } from "@caudal/workloads/postgres/replication";
import { trustOf } from "@caudal/workloads/postgres/secret";
import { WorkloadError } from "@caudal/workloads/runtime/errors";
import type { KubeClient } from "../kube/client.ts";
import { type Clock, monotonic } from "../kube/clock.ts";
import { KubeError } from "../kube/errors.ts";
import { type KubeObject, resources } from "../kube/object.ts";
import type { Slot } from "../plan/slots.ts";

/** It is still there, as far as we know. */
export class SlotNotRemoved extends KubeError {
  readonly code = "ESLOTNOTREMOVED";
  readonly reason = "SlotNotRemoved";
  /** The Secret may come, or get another password. */
  readonly retryable = true;

  constructor(slot: Slot, why: string, cause?: unknown) {
    super(
      `the replication slot ${slot.name} in the database of Secret/${slot.secret} could not be removed (${why}): until it is, ` +
        `the database keeps its log; run there: select pg_drop_replication_slot('${slot.name}'); drop publication if exists ${slot.name}`,
      { cause },
    );
  }
}

/** A name without a point is that of a Service beside the Secret: CloudNativePG's are, and we are in another namespace. */
export function hostFrom(namespace: string, host: string): string {
  return /^[a-z][-a-z0-9]*$/.test(host) && host !== "localhost" ? `${host}.${namespace}.svc` : host;
}

interface Login {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  readonly sslmode: string | undefined;
  readonly ca: string | undefined;
}

/**
 * What is needed to remove slots, and since when each is tried. A Secret may go before its slot, as in a namespace that
 * is deleted: the last login that it held is kept in memory, written nowhere, until the slot is gone.
 */
export class SlotKeeper {
  readonly #clock: Clock;
  readonly #logins = new Map<string, Login>();
  readonly #since = new Map<string, number>();

  constructor(clock: Clock = monotonic) {
    this.#clock = clock;
  }

  /** Milliseconds since this was asked for first: what happened while the operator was away does not count. */
  waited(what: string): number {
    const since = this.#since.get(what) ?? this.#clock();
    this.#since.set(what, since);
    return this.#clock() - since;
  }

  forget(what: string): void {
    this.#since.delete(what);
  }

  /** Keeps the login of a slot that is in use. */
  async remember(client: KubeClient, namespace: string, slot: Slot): Promise<void> {
    const login = await readLogin(client, namespace, slot);
    if (login !== undefined) this.#logins.set(`${namespace}/${slot.name}`, login);
  }

  /**
   * Tries the Secret as it is now, and then what it held before.
   *
   * @throws SlotNotRemoved
   */
  async remove(client: KubeClient, namespace: string, slot: Slot): Promise<void> {
    const key = `${namespace}/${slot.name}`;
    const now = await readLogin(client, namespace, slot);
    const before = this.#logins.get(key);
    const logins = [now, before].filter((login) => login !== undefined);
    let failure = new SlotNotRemoved(slot, "its Secret, or that of its authority, does not exist");
    for (const login of logins.slice(0, isDeepStrictEqual(now, before) ? 1 : 2)) {
      try {
        await removeBy(login, namespace, slot);
        this.#logins.delete(key);
        return;
      } catch (error) {
        if (!(error instanceof WorkloadError)) throw error;
        failure = new SlotNotRemoved(slot, error.message, error);
      }
    }
    throw failure;
  }
}

/** @returns undefined while the login, or the authority by which its database is trusted, is not there */
async function readLogin(client: KubeClient, namespace: string, slot: Slot): Promise<Login | undefined> {
  const secret = await client.get(resources.secret, namespace, slot.secret);
  if (secret === undefined) return undefined;
  const authority =
    slot.caSecret === undefined ? undefined : await client.get(resources.secret, namespace, slot.caSecret);
  const ca = authority === undefined ? undefined : valueOf(authority, "ca.crt");
  // Whom nobody vouches for any more is not told the password.
  if (slot.caSecret !== undefined && ca === undefined) return undefined;
  const value = (key: string): string => valueOf(secret, key) ?? "";
  return {
    host: hostFrom(namespace, value("host")),
    port: Number(value("port")),
    database: value("dbname"),
    user: value("username"),
    password: value("password"),
    sslmode: valueOf(secret, "sslmode"),
    ca,
  };
}

function valueOf(secret: KubeObject, key: string): string | undefined {
  const text = ((secret["data"] ?? {}) as Readonly<Record<string, string>>)[key];
  return text === undefined ? undefined : Buffer.from(text, "base64").toString();
}

async function removeBy({ sslmode, ca, ...login }: Login, namespace: string, slot: Slot): Promise<void> {
  const secret = { ...login, ...trustOf(sslmode, ca) };
  const connection = await Connection.open({ secret, applicationName: `caudal operator ${namespace}` });
  try {
    await removeReplication(connection, slot.name);
  } finally {
    await connection.close();
  }
}
