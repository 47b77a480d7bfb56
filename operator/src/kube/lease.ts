/**
 * Leader election by a Lease. It does not fence: whoever writes must still be safe beside another leader.
 * Times are compared on this process's own clock: a lease is taken over when it has not changed for its duration.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { KubeClient } from "./client.ts";
import { type Clock, monotonic } from "./clock.ts";
import { Conflict } from "./errors.ts";
import { type KubeObject, resources } from "./object.ts";
import { severityOf } from "./severity.ts";

export interface LeaseOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly name: string;
  readonly identity: string;
  readonly onStarted: () => void;
  /** Called when leadership is lost or given up. */
  readonly onStopped: () => void;
  readonly log: Logger;
  readonly durationMs?: number;
  readonly retryMs?: number;
  /** Epoch milliseconds, for the dates in the Lease alone. */
  readonly now?: () => number;
  readonly clock?: Clock;
}

export class LeaderElection {
  readonly #options: LeaseOptions;
  readonly #durationMs: number;
  readonly #now: () => number;
  readonly #clock: Clock;
  /** Ends leadership in time, also while a call hangs. */
  #expiry: NodeJS.Timeout | undefined;
  readonly #abort = new AbortController();
  #seen: { version: string | undefined; at: number } | undefined;
  #leading = false;
  #failingSince: number | undefined;
  #lastActivity: number;
  #running: Promise<void> | undefined;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#durationMs = options.durationMs ?? 15_000;
    this.#now = options.now ?? Date.now;
    this.#clock = options.clock ?? monotonic;
    this.#lastActivity = this.#clock();
  }

  get isLeader(): boolean {
    return this.#leading;
  }

  /** When the loop last went round. */
  get lastActivity(): number {
    return this.#lastActivity;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Stops and, where this process leads, lets the next one start at once. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
    clearTimeout(this.#expiry);
    if (!this.#leading) return;
    this.#end();
    try {
      const lease = await this.#read();
      if (lease !== undefined && holderOf(lease) === this.#options.identity) await this.#write(lease, "");
    } catch (error) {
      this.#options.log.warn({ error: String(error) }, "the lease was not released: it ends by itself");
    }
  }

  async #run(): Promise<void> {
    const { log, retryMs = this.#durationMs / 5 } = this.#options;
    while (!this.#abort.signal.aborted) {
      try {
        await this.#round();
        this.#failingSince = undefined;
      } catch (error) {
        this.#failingSince ??= this.#clock();
        const level = severityOf(error, this.#clock() - this.#failingSince);
        log[level]({ error: String(error) }, "the lease could not be renewed");
      }
      this.#lastActivity = this.#clock();
      await sleep(retryMs * (0.8 + Math.random() * 0.4), undefined, { signal: this.#abort.signal }).catch(
        () => undefined,
      );
    }
  }

  async #round(): Promise<void> {
    const begun = this.#clock();
    const lease = await this.#read();
    const version = lease?.metadata.resourceVersion;
    if (this.#seen === undefined || this.#seen.version !== version) this.#seen = { version, at: begun };
    const holder = lease === undefined ? "" : holderOf(lease);
    const mine = holder === this.#options.identity;
    const free = holder === "" || begun - this.#seen.at > this.#durationMs;
    if (!mine && !free) {
      if (this.#leading) this.#end();
      return;
    }
    try {
      await this.#write(lease, this.#options.identity);
    } catch (error) {
      if (!(error instanceof Conflict)) throw error;
      if (this.#leading && !mine) this.#end();
      return;
    }
    if (!this.#expire(begun) || this.#leading) return;
    this.#leading = true;
    this.#options.log.info({ identity: this.#options.identity }, "leading");
    this.#options.onStarted();
  }

  /** Sets when leadership ends unless it is renewed. @returns false where that time has come already */
  #expire(renewedAt: number): boolean {
    clearTimeout(this.#expiry);
    // In good time before another may start.
    const left = renewedAt + this.#durationMs * 0.67 - this.#clock();
    if (left > 0) this.#expiry = setTimeout(() => this.#end(), left);
    else this.#end();
    return left > 0;
  }

  #end(): void {
    clearTimeout(this.#expiry);
    if (!this.#leading) return;
    this.#leading = false;
    this.#options.log.info({ identity: this.#options.identity }, "no longer leading");
    this.#options.onStopped();
  }

  async #read(): Promise<KubeObject | undefined> {
    return await this.#options.client.get(resources.lease, this.#options.namespace, this.#options.name);
  }

  async #write(lease: KubeObject | undefined, holder: string): Promise<void> {
    const { client, namespace, name } = this.#options;
    const now = microTime(this.#now());
    const old = lease?.spec ?? {};
    const same = old["holderIdentity"] === holder;
    const object: KubeObject = {
      apiVersion: resources.lease.apiVersion,
      kind: resources.lease.kind,
      metadata: { name, namespace, ...pick(lease?.metadata.resourceVersion) },
      spec: {
        holderIdentity: holder,
        leaseDurationSeconds: Math.max(1, Math.round(this.#durationMs / 1000)),
        acquireTime: same ? old["acquireTime"] : now,
        renewTime: now,
        leaseTransitions: Number(old["leaseTransitions"] ?? 0) + (same || lease === undefined ? 0 : 1),
      },
    };
    const written = lease === undefined ? await client.create(object) : await client.replace(object);
    this.#seen = { version: written.metadata.resourceVersion, at: this.#clock() };
  }
}

function pick(resourceVersion: string | undefined): { resourceVersion?: string } {
  return resourceVersion === undefined ? {} : { resourceVersion };
}

function holderOf(lease: KubeObject): string {
  const holder = lease.spec?.["holderIdentity"];
  return typeof holder === "string" ? holder : "";
}

/** A MicroTime has six digits of a second; the API server refuses three. */
export function microTime(epochMs: number): string {
  return new Date(epochMs).toISOString().replace(/(\.\d{3})Z$/, "$1000Z");
}
