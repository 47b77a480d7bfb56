/**
 * Keeps a store equal to what the API server has of one kind: lists in pages, then watches with bookmarks from the
 * list's resource version, reopens a watch that ends, lists again when the version has expired, and backs off with
 * jitter after any failure. It never gives up but when the kind is not there.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { Backoff } from "./backoff.ts";
import type { KubeClient, WatchEvent } from "./client.ts";
import { Gone, KubeError, NotFound, ServerFailed } from "./errors.ts";
import type { KubeObject, Resource } from "./object.ts";
import { keyOf, Store } from "./store.ts";

export interface ReflectorOptions {
  readonly client: KubeClient;
  readonly resource: Resource;
  /** All of them where it is left out. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  /** Called for each object that appeared, changed or went, after the store has it. */
  readonly onChange: (object: KubeObject, previous: KubeObject | undefined) => void;
  readonly log: Logger;
  readonly now?: () => number;
  readonly pageSize?: number;
  readonly watchSeconds?: number;
  readonly backoff?: Backoff;
}

/** A watch runs between this long and twice as long, so that many of them do not end together. */
const WATCH_SECONDS = 240;
const PAGE_SIZE = 500;

export class Reflector {
  readonly store = new Store();
  readonly resource: Resource;
  readonly #options: ReflectorOptions;
  readonly #abort = new AbortController();
  readonly #now: () => number;
  readonly #backoff: Backoff;
  #synced = false;
  #absent = false;
  #lastActivity: number;
  #running: Promise<void> | undefined;

  constructor(options: ReflectorOptions) {
    this.#options = options;
    this.resource = options.resource;
    this.#now = options.now ?? Date.now;
    this.#backoff = options.backoff ?? new Backoff(500, 30_000);
    this.#lastActivity = this.#now();
  }

  /** Whether the first list has been read. */
  get hasSynced(): boolean {
    return this.#synced;
  }

  /** Whether the API server said that the kind does not exist; the reflector has ended. */
  get isAbsent(): boolean {
    return this.#absent;
  }

  /** When the API server was last heard: a page, an event, a bookmark or an orderly end of a watch. */
  get lastActivity(): number {
    return this.#lastActivity;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { log, resource } = this.#options;
    let version: string | undefined;
    while (!this.#abort.signal.aborted) {
      try {
        version ??= await this.#list();
        version = await this.#watch(version);
        this.#backoff.reset();
      } catch (error) {
        if (this.#abort.signal.aborted) return;
        if (error instanceof NotFound) {
          this.#absent = true;
          return;
        }
        version = error instanceof WatchFailed && !(error.cause instanceof Gone) ? error.version : undefined;
        const wait = this.#backoff.next();
        log.warn({ kind: resource.kind, error: messageOf(error), retryInMs: Math.round(wait) }, "watch interrupted");
        await sleep(wait, undefined, { signal: this.#abort.signal }).catch(() => undefined);
      }
    }
  }

  async #list(): Promise<string> {
    const { client, resource, namespace, labelSelector } = this.#options;
    const seen = new Set<string>();
    let next: string | undefined;
    for (;;) {
      const page = await client.list(resource, namespace, {
        limit: String(this.#options.pageSize ?? PAGE_SIZE),
        ...(labelSelector === undefined ? {} : { labelSelector }),
        ...(next === undefined ? {} : { continue: next }),
      });
      this.#lastActivity = this.#now();
      for (const object of page.items) {
        seen.add(keyOf(object));
        this.#put(object);
      }
      next = page.next;
      if (next !== undefined) continue;
      for (const object of [...this.store.all()]) if (!seen.has(keyOf(object))) this.#remove(object);
      this.#synced = true;
      return page.resourceVersion;
    }
  }

  /** Resolves to the version to go on from when the server has ended the watch in order. */
  async #watch(from: string): Promise<string> {
    const { client, resource, namespace, labelSelector } = this.#options;
    let version = from;
    const seconds = this.#options.watchSeconds ?? WATCH_SECONDS;
    const onEvent = (event: WatchEvent): void => {
      if (event.type === "ERROR") throw errorIn(event);
      this.#lastActivity = this.#now();
      version = event.object.metadata.resourceVersion ?? version;
      if (event.type === "BOOKMARK") return;
      this.#backoff.reset();
      if (event.type === "DELETED") this.#remove(event.object);
      else this.#put(event.object);
    };
    try {
      const query = {
        resourceVersion: from,
        timeoutSeconds: String(Math.round(seconds * (1 + Math.random()))),
        ...(labelSelector === undefined ? {} : { labelSelector }),
      };
      await client.watch(resource, namespace, query, onEvent, this.#abort.signal);
    } catch (error) {
      if (error instanceof NotFound) throw error;
      throw new WatchFailed(version, error);
    }
    this.#lastActivity = this.#now();
    return version;
  }

  #put(object: KubeObject): void {
    const previous = this.store.get(object.metadata.namespace, object.metadata.name);
    if (previous !== undefined && previous.metadata.uid === object.metadata.uid && isNewer(previous, object)) return;
    this.store.set(object);
    if (previous?.metadata.resourceVersion !== object.metadata.resourceVersion)
      this.#options.onChange(object, previous);
  }

  #remove(object: KubeObject): void {
    const previous = this.store.get(object.metadata.namespace, object.metadata.name);
    this.store.delete(object);
    if (previous !== undefined) this.#options.onChange(object, previous);
  }
}

/** A watch that broke off; what it had seen is not lost. */
class WatchFailed extends KubeError {
  readonly code = "EWATCH";
  readonly reason = "WatchFailed";
  readonly retryable = true;
  readonly version: string;
  constructor(version: string, cause: unknown) {
    super(messageOf(cause), { cause });
    this.version = version;
  }
}

function errorIn(event: WatchEvent): Error {
  const status = event.object as unknown as { code?: number; message?: string };
  return status.code === 410
    ? new Gone(`watch: ${status.message ?? "expired"}`)
    : new ServerFailed(`watch: ${status.code ?? "?"} ${status.message ?? ""}`);
}

/** A list read from a server that lags may hold an older state of an object; versions of one object can be compared. */
function isNewer(known: KubeObject, other: KubeObject): boolean {
  const [a, b] = [known.metadata.resourceVersion, other.metadata.resourceVersion];
  if (a === undefined || b === undefined || !/^\d+$/.test(a) || !/^\d+$/.test(b)) return false;
  return BigInt(a) > BigInt(b);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
