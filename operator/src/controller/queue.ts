/**
 * Keys that wait for a worker: a key waits at most once and is with one worker at a time; one that is added while it is
 * being worked on comes again afterwards. Failures back off by key, and a bucket bounds the whole.
 */
import { Backoff } from "../kube/backoff.ts";

export interface QueueObserver {
  onAdd(): void;
  onDepth(depth: number): void;
  onTaken(waitedMs: number): void;
  onRetry(): void;
}

export interface QueueOptions {
  readonly firstRetryMs?: number;
  readonly lastRetryMs?: number;
  /** Retries a second in the long run, and how many may come at once. */
  readonly retriesPerSecond?: number;
  readonly retryBurst?: number;
  readonly observer?: QueueObserver;
  readonly now?: () => number;
}

export class KeyedQueue {
  readonly #options: QueueOptions;
  readonly #now: () => number;
  /** Keys in the order in which they came, with the time. */
  readonly #waiting = new Map<string, number>();
  readonly #working = new Set<string>();
  readonly #again = new Set<string>();
  readonly #timers = new Map<string, { at: number; timer: NodeJS.Timeout }>();
  readonly #backoffs = new Map<string, Backoff>();
  readonly #takers: ((key: string | undefined) => void)[] = [];
  #tokens: number;
  #refilledAt: number;
  #closed = false;

  constructor(options: QueueOptions = {}) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#tokens = options.retryBurst ?? 100;
    this.#refilledAt = this.#now();
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
    this.#waiting.set(key, this.#now());
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
    const at = this.#now() + ms;
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
    this.addAfter(key, Math.max(atLeastMs, backoff.next(), this.#bucketDelay()));
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
    this.#working.delete(key);
    if (this.#again.delete(key)) this.add(key);
  }

  close(): void {
    this.#closed = true;
    for (const { timer } of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#waiting.clear();
    for (const taker of this.#takers.splice(0)) taker(undefined);
  }

  #hand(): void {
    for (const [key, since] of this.#waiting) {
      const taker = this.#takers.shift();
      if (taker === undefined) break;
      this.#waiting.delete(key);
      this.#working.add(key);
      this.#options.observer?.onTaken(this.#now() - since);
      taker(key);
    }
    this.#options.observer?.onDepth(this.#waiting.size);
  }

  #bucketDelay(): number {
    const perSecond = this.#options.retriesPerSecond ?? 10;
    const now = this.#now();
    this.#tokens = Math.min(
      this.#options.retryBurst ?? 100,
      this.#tokens + ((now - this.#refilledAt) / 1000) * perSecond,
    );
    this.#refilledAt = now;
    this.#tokens -= 1;
    return this.#tokens >= 0 ? 0 : (-this.#tokens / perSecond) * 1000;
  }
}
