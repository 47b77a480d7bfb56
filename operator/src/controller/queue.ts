/**
 * Keys that wait for a worker: a key waits at most once and is with one worker at a time; one that is added while it is
 * being worked on comes again afterwards. Tenants take turns, none has all workers, and each has a bucket of its own for
 * what is tried again. Failures back off by key.
 */
import { Backoff } from "../kube/backoff.ts";
import { FairLine } from "./fair-line.ts";
import { type Clock, monotonic } from "../kube/clock.ts";

export interface QueueObserver {
  onAdd(): void;
  onDepth(depth: number): void;
  onTaken(waitedMs: number): void;
  onRetry(): void;
}

export interface QueueOptions {
  readonly firstRetryMs?: number;
  readonly lastRetryMs?: number;
  /** Keys of one tenant that are worked on at once. */
  readonly atOnceByTenant?: number;
  /** Retries of a tenant a second in the long run, and how many may come at once. */
  readonly retriesPerSecond?: number;
  readonly retryBurst?: number;
  readonly observer?: QueueObserver;
  readonly clock?: Clock;
}

/** What a tenant may still have tried again at once. */
interface Bucket {
  tokens: number;
  filledAt: number;
}

/** Keys are `namespace/name`, and a namespace is a tenant. */
export function tenantOf(key: string): string {
  return key.slice(0, Math.max(0, key.indexOf("/")));
}

export class KeyedQueue {
  readonly #options: QueueOptions;
  readonly #clock: Clock;
  readonly #line = new FairLine<string>();
  /** Since when each key waits. */
  readonly #waiting = new Map<string, number>();
  readonly #working = new Set<string>();
  /** How many keys of each tenant are worked on. */
  readonly #busy = new Map<string, number>();
  readonly #again = new Set<string>();
  readonly #timers = new Map<string, { at: number; timer: NodeJS.Timeout }>();
  readonly #backoffs = new Map<string, Backoff>();
  readonly #takers: ((key: string | undefined) => void)[] = [];
  readonly #buckets = new Map<string, Bucket>();
  #closed = false;

  constructor(options: QueueOptions = {}) {
    this.#options = options;
    this.#clock = options.clock ?? monotonic;
  }

  get depth(): number {
    return this.#waiting.size;
  }

  add(key: string): void {
    if (this.#closed) return;
    if (this.#working.has(key)) {
      this.#again.add(key);
      return;
    }
    if (this.#waiting.has(key)) return;
    this.#waiting.set(key, this.#clock());
    this.#line.add(tenantOf(key), key);
    this.#options.observer?.onAdd();
    this.#hand();
  }

  /** Adds the key later; an earlier date for the same key stays. */
  addAfter(key: string, ms: number): void {
    if (this.#closed) return;
    if (ms <= 0) {
      this.add(key);
      return;
    }
    const at = this.#clock() + ms;
    const known = this.#timers.get(key);
    if (known !== undefined && known.at <= at) return;
    clearTimeout(known?.timer);
    const timer = setTimeout(() => {
      this.#timers.delete(key);
      this.add(key);
    }, ms);
    timer.unref();
    this.#timers.set(key, { at, timer });
  }

  /** Adds the key after its back-off, which `forget` ends, and at least after `atLeastMs`. */
  retry(key: string, atLeastMs = 0): void {
    let backoff = this.#backoffs.get(key);
    if (backoff === undefined) {
      backoff = new Backoff(this.#options.firstRetryMs ?? 200, this.#options.lastRetryMs ?? 120_000);
      this.#backoffs.set(key, backoff);
    }
    this.#options.observer?.onRetry();
    this.addAfter(key, Math.max(atLeastMs, backoff.next(), this.#bucketDelay(tenantOf(key))));
  }

  forget(key: string): void {
    this.#backoffs.delete(key);
  }

  /** The next key, which is the caller's until `done`; undefined when the queue is closed. */
  async take(): Promise<string | undefined> {
    if (this.#closed) return undefined;
    return await new Promise((resolve) => {
      this.#takers.push(resolve);
      this.#hand();
    });
  }

  done(key: string): void {
    if (this.#working.delete(key)) {
      const tenant = tenantOf(key);
      const busy = (this.#busy.get(tenant) ?? 1) - 1;
      if (busy > 0) this.#busy.set(tenant, busy);
      else this.#busy.delete(tenant);
    }
    if (this.#again.delete(key)) this.add(key);
    else this.#hand();
  }

  close(): void {
    this.#closed = true;
    for (const { timer } of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#waiting.clear();
    this.#line.clear();
    for (const taker of this.#takers.splice(0)) taker(undefined);
  }

  #hand(): void {
    const most = this.#options.atOnceByTenant ?? Infinity;
    while (this.#takers.length > 0) {
      const key = this.#line.take((tenant) => (this.#busy.get(tenant) ?? 0) < most);
      if (key === undefined) break;
      const since = this.#waiting.get(key) ?? this.#clock();
      this.#waiting.delete(key);
      this.#working.add(key);
      this.#busy.set(tenantOf(key), (this.#busy.get(tenantOf(key)) ?? 0) + 1);
      this.#options.observer?.onTaken(this.#clock() - since);
      this.#takers.shift()?.(key);
    }
    this.#options.observer?.onDepth(this.#waiting.size);
  }

  #bucketDelay(tenant: string): number {
    const { retriesPerSecond = 10, retryBurst = 100 } = this.#options;
    const now = this.#clock();
    for (const [name, { tokens, filledAt }] of this.#buckets)
      if (tokens + ((now - filledAt) / 1000) * retriesPerSecond >= retryBurst) this.#buckets.delete(name);
    const { tokens, filledAt } = this.#buckets.get(tenant) ?? { tokens: retryBurst, filledAt: now };
    const left = Math.min(retryBurst, tokens + ((now - filledAt) / 1000) * retriesPerSecond) - 1;
    this.#buckets.set(tenant, { tokens: left, filledAt: now });
    return left >= 0 ? 0 : (-left / retriesPerSecond) * 1000;
  }
}
