/** Back-off with full jitter towards what is outside: a wait is uniform between 0 and a bound that doubles. */
import { setTimeout as sleep } from "node:timers/promises";
import { WorkloadError } from "./errors.ts";

export interface RetryOptions {
  /** Ends the waiting at once; the signal's reason is thrown. */
  readonly signal?: AbortSignal;
  /** Milliseconds: the first bound (100), and the largest (10,000). */
  readonly firstMs?: number;
  readonly maxMs?: number;
  /** Calls in all before the last error is thrown; unlimited by default. */
  readonly attempts?: number;
  /** By default everything but a {@link WorkloadError} that says it is not retryable. */
  readonly retryable?: (error: unknown) => boolean;
  /** Told before each wait: log, count, and show that the process lives. */
  readonly onRetry: (error: unknown, attempt: number, delayMs: number) => void;
  readonly random?: () => number;
}

/** Whether trying again may help, as far as the error says. */
export function isRetryable(error: unknown): boolean {
  return !(error instanceof WorkloadError) || error.retryable;
}

/** Milliseconds to wait after the n-th failure (n from 1): uniform in [0, min(maxMs, firstMs · 2^(n-1))). */
export function backoff(attempt: number, firstMs: number, maxMs: number, random: () => number): number {
  return Math.floor(random() * Math.min(maxMs, firstMs * 2 ** Math.min(attempt - 1, 30)));
}

/**
 * Calls until it succeeds.
 *
 * @throws the last error when it is not retryable or the attempts are used up; the signal's reason when aborted
 */
export async function retry<T>(operation: (attempt: number) => Promise<T>, options: RetryOptions): Promise<T> {
  const { signal, firstMs = 100, maxMs = 10_000, attempts = Infinity, retryable = isRetryable } = options;
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    try {
      return await operation(attempt);
    } catch (error) {
      signal?.throwIfAborted();
      if (attempt >= attempts || !retryable(error)) throw error;
      const delay = backoff(attempt, firstMs, maxMs, options.random ?? Math.random);
      options.onRetry(error, attempt, delay);
      await pause(delay, signal);
    }
  }
}

/** Waits; an aborted signal ends it at once and its reason is thrown. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
