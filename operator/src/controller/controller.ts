/** Takes keys off the queue and reconciles each; what fails comes again after its back-off. */
import type { Logger } from "pino";
import { type Clock, monotonic } from "../kube/clock.ts";
import { KubeError, TooManyRequests } from "../kube/errors.ts";
import { severityOf } from "../kube/severity.ts";
import type { KeyedQueue } from "./queue.ts";

export interface Outcome {
  /** When to look again although nothing has changed; undefined: at the next change. */
  readonly requeueAfterMs?: number | undefined;
  /** Something failed that the outcome's status already tells: come back after the back-off. */
  readonly failed?: boolean;
}

export interface ControllerObserver {
  onStart(): void;
  onEnd(result: "success" | "requeue_after" | "error", seconds: number): void;
}

export interface ControllerOptions {
  readonly queue: KeyedQueue;
  readonly reconcile: (key: string) => Promise<Outcome>;
  readonly workers: number;
  readonly observer?: ControllerObserver;
  readonly log: Logger;
  readonly clock?: Clock;
}

/** A reconcile makes a bounded number of calls, each with a limit of its own: one that takes longer is stuck. */
const STUCK_MS = 10 * 60_000;

export class Controller {
  readonly #options: ControllerOptions;
  readonly #clock: Clock;
  readonly #begun = new Map<string, number>();
  /** Since when each key has failed. */
  readonly #failing = new Map<string, number>();
  readonly #workers: Promise<void>[] = [];

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? monotonic;
  }

  start(): void {
    for (let i = 0; i < this.#options.workers; i++) this.#workers.push(this.#work());
  }

  /** Resolves when what was being worked on has ended. */
  async stop(): Promise<void> {
    this.#options.queue.close();
    await Promise.all(this.#workers);
  }

  /** A key that has been with its worker for too long, if any. */
  stuck(): string | undefined {
    for (const [key, begun] of this.#begun) if (this.#clock() - begun > STUCK_MS) return key;
    return undefined;
  }

  async #work(): Promise<void> {
    const { queue } = this.#options;
    for (;;) {
      const key = await queue.take();
      if (key === undefined) return;
      await this.#one(key);
      queue.done(key);
    }
  }

  async #one(key: string): Promise<void> {
    const { queue, observer, reconcile, log } = this.#options;
    const begun = this.#clock();
    this.#begun.set(key, begun);
    observer?.onStart();
    const end = (result: "success" | "requeue_after" | "error") =>
      observer?.onEnd(result, (this.#clock() - begun) / 1000);
    try {
      const outcome = await reconcile(key);
      if (outcome.failed === true) {
        queue.retry(key);
        end("error");
        return;
      }
      queue.forget(key);
      this.#failing.delete(key);
      if (outcome.requeueAfterMs !== undefined) queue.addAfter(key, outcome.requeueAfterMs);
      end(outcome.requeueAfterMs === undefined ? "success" : "requeue_after");
    } catch (error) {
      const expected = error instanceof KubeError;
      const since = this.#failing.get(key) ?? begun;
      this.#failing.set(key, since);
      log[severityOf(error, this.#clock() - since)](
        { pipeline: key, reason: expected ? error.reason : "Unexpected", error: describe(error) },
        "reconcile failed; it is tried again",
      );
      queue.retry(key, error instanceof TooManyRequests ? error.retryAfterMs : 0);
      end("error");
    } finally {
      this.#begun.delete(key);
    }
  }
}

function describe(error: unknown): string {
  if (error instanceof KubeError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
