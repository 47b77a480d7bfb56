/**
 * Keeps a store equal to what the API server has of one kind: lists in pages, then watches with bookmarks from the
 * list's resource version, reopens a watch that ends, lists again when the version has expired or the watch says
 * nothing, and backs off with jitter after any failure. It never gives up: a kind that is not there may come.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { Backoff } from "./backoff.ts";
import type { KubeClient, WatchEvent } from "./client.ts";
import { type Clock, monotonic } from "./clock.ts";
import { Gone, KubeError, NotFound, ServerFailed, TooManyRequests } from "./errors.ts";
import type { KubeObject, Resource } from "./object.ts";
import { severityOf } from "./severity.ts";
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
  readonly clock?: Clock;
  readonly pageSize?: number;
  readonly watchSeconds?: number;
  /** A watch without a word for this long is taken for dead; bookmarks come every minute. */
  readonly silenceMs?: number;
  readonly backoff?: Backoff;
}

/** Why a kind is not read, and since when on the reflector's clock. */
export interface Trouble {
  readonly reason: string;
  readonly message: string;
  readonly since: number;
}

/** A watch runs between this long and twice as long, so that many of them do not end together. */
const WATCH_SECONDS = 240;
const PAGE_SIZE = 500;
/** Bookmarks come every minute, with some jitter. */
const SILENCE_MS = 90_000;
/** A watch that ends sooner than this, without an event, has not worked. */
const QUICK_MS = 1_000;
/** While watches fail, lists show what they would have, this many in the time of a silence. */
const RELISTS = 3;

export class Reflector {
  readonly store = new Store();
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly #options: ReflectorOptions;
  readonly #abort = new AbortController();
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  #synced = false;
  #listedAt = -Infinity;
  #heardAt: number;
  #turnedAt: number;
  #trouble: Trouble | undefined;
  /** Watches in a row that said nothing. */
  #silences = 0;
  #running: Promise<void> | undefined;

  constructor(options: ReflectorOptions) {
    this.#options = options;
    this.resource = options.resource;
    this.namespace = options.namespace;
    this.#clock = options.clock ?? monotonic;
    this.#backoff = options.backoff ?? new Backoff(500, 15_000);
    this.#heardAt = this.#turnedAt = this.#clock();
  }

  /** Whether the first list has been read. */
  get hasSynced(): boolean {
    return this.#synced;
  }

  /** What stands in the way now; undefined while a watch is open. */
  get trouble(): Trouble | undefined {
    return this.#trouble;
  }

  /** Milliseconds since the store was last known to be true: a list, an event or a bookmark. */
  get age(): number {
    return this.#clock() - this.#heardAt;
  }

  /** Milliseconds since the loop last did anything, also where it failed. */
  get stillFor(): number {
    return this.#clock() - this.#turnedAt;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    let version: string | undefined;
    while (!this.#abort.signal.aborted) {
      this.#turnedAt = this.#clock();
      try {
        version ??= await this.#list();
        version = await this.#watch(version);
        this.#backoff.reset();
        this.#trouble = undefined;
      } catch (error) {
        if (this.#abort.signal.aborted) return;
        version = this.#versionAfter(error);
        await this.#pause(error);
      }
    }
  }

  /** Where to watch from after a failure; undefined: list first. */
  #versionAfter(error: unknown): string | undefined {
    if (!(error instanceof WatchFailed)) return undefined;
    const useless = error.cause instanceof Gone || error.cause instanceof NotFound || error.cause instanceof Silent;
    const since = Math.max(this.#trouble?.since ?? Infinity, this.#listedAt);
    const relistMs = (this.#options.silenceMs ?? SILENCE_MS) / RELISTS;
    return useless || this.#clock() - since > relistMs ? undefined : error.version;
  }

  async #pause(error: unknown): Promise<void> {
    const { log, resource, namespace } = this.#options;
    const cause = error instanceof WatchFailed ? error.cause : error;
    const reason = cause instanceof KubeError ? cause.reason : "Unexpected";
    const message = messageOf(error);
    // Nothing may have happened yet since the API server began: then even bookmarks are late, once.
    const ordinary = cause instanceof Silent && ++this.#silences === 1;
    if (!ordinary) this.#trouble = { reason, message, since: this.#trouble?.since ?? this.#clock() };
    const asked = cause instanceof TooManyRequests ? cause.retryAfterMs : 0;
    // Silence was waiting enough.
    const wait = cause instanceof Silent ? 0 : Math.max(this.#backoff.next(), asked);
    const lastsMs = this.#clock() - (this.#trouble?.since ?? this.#clock());
    log[ordinary ? "debug" : severityOf(cause, lastsMs)](
      { kind: resource.kind, ...(namespace && { namespace }), error: message, retryInMs: Math.round(wait) },
      "watch interrupted",
    );
    await sleep(wait, undefined, { signal: this.#abort.signal }).catch(() => undefined);
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
      this.#turnedAt = this.#clock();
      for (const object of page.items) {
        seen.add(keyOf(object));
        this.#put(object);
      }
      next = page.next;
      if (next !== undefined) continue;
      for (const object of [...this.store.all()]) if (!seen.has(keyOf(object))) this.#remove(object);
      this.#synced = true;
      this.#listedAt = this.#heardAt = this.#clock();
      return page.resourceVersion;
    }
  }

  /** Resolves when the server has ended the watch in order: to the version to go on from, or to none: list again. */
  async #watch(from: string): Promise<string | undefined> {
    const { client, resource, namespace, labelSelector } = this.#options;
    let version = from;
    let heard = false;
    const begun = this.#clock();
    const seconds = this.#options.watchSeconds ?? WATCH_SECONDS;
    const silence = new AbortController();
    const silenceMs = this.#options.silenceMs ?? SILENCE_MS;
    // Also over several watches that each end without a word.
    let timer = setTimeout(() => silence.abort(), Math.max(silenceMs - this.age, QUICK_MS));
    const onOpen = (): void => {
      // A watch that opens and then says nothing has not ended the trouble.
      if (this.#trouble?.reason !== SILENT) this.#trouble = undefined;
    };
    const onEvent = (event: WatchEvent): void => {
      if (event.type === "ERROR") throw errorIn(event);
      this.#heardAt = this.#turnedAt = this.#clock();
      this.#trouble = undefined;
      this.#silences = 0;
      heard = true;
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), silenceMs);
      version = event.object.metadata.resourceVersion ?? version;
      this.#backoff.reset();
      if (event.type === "BOOKMARK") return;
      if (event.type === "DELETED") this.#remove(event.object);
      else this.#put(event.object);
    };
    try {
      const query = {
        resourceVersion: from,
        timeoutSeconds: String(Math.round(seconds * (1 + Math.random()))),
        ...(labelSelector === undefined ? {} : { labelSelector }),
      };
      const signal = AbortSignal.any([this.#abort.signal, silence.signal]);
      await client.watch(resource, namespace, query, onEvent, signal, onOpen);
      if (silence.signal.aborted) throw new Silent(silenceMs);
      if (!heard && this.#clock() - begun < QUICK_MS) throw new ServerFailed("the watch ended at once");
    } catch (error) {
      const cause = silence.signal.aborted && !this.#abort.signal.aborted ? new Silent(silenceMs) : error;
      throw new WatchFailed(version, cause);
    } finally {
      clearTimeout(timer);
    }
    return this.age < silenceMs ? version : undefined;
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

const SILENT = "WatchSilent";

/** Neither an event nor a bookmark came. */
class Silent extends KubeError {
  readonly code = "ESILENT";
  readonly reason = SILENT;
  readonly retryable = true;
  constructor(afterMs: number) {
    super(`the watch has brought neither an event nor a bookmark for ${Math.round(afterMs / 1000)} s`);
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
