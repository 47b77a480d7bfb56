/** Removes a replication slot and its publication from the database that has them. */
import { isDeepStrictEqual } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";
import { Connection } from "@caudal/workloads/postgres/connection";
import { DatabaseUnavailable } from "@caudal/workloads/postgres/errors";
import { removeReplication } from "@caudal/workloads/postgres/replication";
import { trustOf } from "@caudal/workloads/postgres/secret";
import { WorkloadError } from "@caudal/workloads/runtime/errors";
import { FairLine } from "../controller/fair-line.ts";
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

/** Something that is waited for. */
interface Waiting {
  /** When it was asked for first. */
  readonly at: number;
  readonly failure: string | undefined;
  /** It was given up. */
  readonly isLeft: boolean;
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

/** Removals at once, of all namespaces and of one: each holds a connection to somebody's database. */
const AT_ONCE = 8;
const AT_ONCE_OF_NAMESPACE = 2;
/** Of one removal, whatever the database does: it is tried again. */
const REMOVAL_MS = 20_000;
const STATEMENT_MS = 5_000;
/** What the answers to a handful of statements need is a few kilobytes. */
const READ_BYTES = 1024 * 1024;

export interface SlotKeeperOptions {
  readonly clock?: Clock;
  /** A removal has ended: who asked for it, as `namespace/name`, may ask how. */
  readonly onEnded?: (pipeline: string) => void;
}

interface Removal {
  readonly key: string;
  readonly pipeline: string;
  readonly tenant: string;
  readonly run: () => Promise<void>;
}

/**
 * What is needed to remove slots, and since when each is tried. A Secret may go before its slot, as in a namespace that
 * is deleted: the last login that it held is kept in memory, written nowhere, until the slot is gone.
 *
 * Slots are removed beside the queue: a database that hangs holds no worker, and namespaces take turns.
 */
export class SlotKeeper {
  readonly #clock: Clock;
  readonly #onEnded: (pipeline: string) => void;
  readonly #logins = new Map<string, Login>();
  readonly #since = new Map<string, Waiting>();
  readonly #line = new FairLine<Removal>();
  /** Keys of slots that wait for their turn or are being removed. */
  readonly #asked = new Set<string>();
  /** By namespace, how many are being removed. */
  readonly #running = new Map<string, number>();
  /** By key, how the last removal ended, until somebody has asked. */
  readonly #ended = new Map<string, { readonly error?: unknown }>();

  constructor(options: SlotKeeperOptions = {}) {
    this.#clock = options.clock ?? monotonic;
    this.#onEnded = options.onEnded ?? (() => undefined);
  }

  /**
   * Milliseconds since this was asked for first: what happened while the operator was away does not count.
   *
   * @param failure what stands in its way, in words
   */
  waited(what: string, failure?: string): number {
    const known = this.#since.get(what) ?? { at: this.#clock(), isLeft: false };
    this.#since.set(what, { ...known, failure });
    return this.#clock() - known.at;
  }

  /** What stood in its way the last time. */
  failureOf(what: string): string | undefined {
    return this.#since.get(what)?.failure;
  }

  forget(what: string): void {
    this.#since.delete(what);
  }

  /** Gives up what was waited for. @returns whether that is new, and so to be told: the deletion may have to be tried again after it */
  leave(what: string): boolean {
    const known = this.#since.get(what);
    if (known === undefined || known.isLeft) return false;
    this.#since.set(what, { ...known, isLeft: true });
    return true;
  }

  /** Keeps the login of a slot that is in use. */
  async remember(client: KubeClient, namespace: string, slot: Slot): Promise<void> {
    const login = await readLogin(client, namespace, slot);
    if (login !== undefined) this.#logins.set(`${namespace}/${slot.name}`, login);
  }

  /**
   * Asks for the removal of a slot, or how it has ended.
   *
   * @param pipeline `namespace/name`, which is told when there is something to ask
   * @returns whether the slot is gone; while it is not known, the removal goes on
   * @throws SlotNotRemoved, or what the API server answered, once for each removal that failed: the next call begins anew
   */
  remove(client: KubeClient, pipeline: string, slot: Slot): boolean {
    const [tenant = ""] = pipeline.split("/");
    const key = `${tenant}/${slot.name}`;
    const ended = this.#ended.get(key);
    if (ended !== undefined) {
      this.#ended.delete(key);
      if ("error" in ended) throw ended.error;
      return true;
    }
    if (this.#asked.has(key)) return false;
    this.#asked.add(key);
    this.#line.add(tenant, { key, pipeline, tenant, run: async () => await this.#try(client, tenant, slot) });
    this.#next();
    return false;
  }

  #next(): void {
    let open = [...this.#running.values()].reduce((sum, count) => sum + count, 0);
    for (; open < AT_ONCE; open++) {
      const removal = this.#line.take((tenant) => (this.#running.get(tenant) ?? 0) < AT_ONCE_OF_NAMESPACE);
      if (removal === undefined) return;
      this.#running.set(removal.tenant, (this.#running.get(removal.tenant) ?? 0) + 1);
      void this.#run(removal);
    }
  }

  async #run({ key, pipeline, tenant, run }: Removal): Promise<void> {
    try {
      await run();
      this.#ended.set(key, {});
    } catch (error) {
      this.#ended.set(key, { error });
    }
    const left = (this.#running.get(tenant) ?? 1) - 1;
    if (left > 0) this.#running.set(tenant, left);
    else this.#running.delete(tenant);
    this.#asked.delete(key);
    this.#onEnded(pipeline);
    this.#next();
  }

  /** Tries the Secret as it is now, and then what it held before. */
  async #try(client: KubeClient, namespace: string, slot: Slot): Promise<void> {
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
  const options = {
    applicationName: `caudal operator ${namespace}`,
    statementTimeoutMs: STATEMENT_MS,
    readLimit: READ_BYTES,
  };
  const ended = new AbortController();
  const opening = Connection.open({ secret, ...options });
  const remove = async (): Promise<void> => {
    const connection = await opening;
    try {
      await removeReplication(connection, slot.name);
    } finally {
      await connection.close();
    }
  };
  const limit = sleep(REMOVAL_MS, undefined, { signal: ended.signal }).then(() => {
    // A connection that comes later is closed by what waits for it.
    throw new DatabaseUnavailable(`the database did not remove it within ${REMOVAL_MS / 1000} s`);
  });
  try {
    await Promise.race([remove(), limit]);
  } finally {
    ended.abort();
    limit.catch(() => undefined);
  }
}
