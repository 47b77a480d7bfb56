import { setTimeout as sleep } from "node:timers/promises";
import { keyOf } from "../core/objects.ts";
import type { KubeObject } from "../core/objects.ts";
import { ApiError } from "./client.ts";
import type { KubeClient, ObjectList } from "./client.ts";
import { kinds, pathOf } from "./kinds.ts";
import type { Kind } from "./kinds.ts";

const watchSeconds = 240;

interface WatchEvent {
  type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  object: KubeObject & { code?: number; message?: string };
}

/** The objects of one kind in all namespaces, kept fresh by list and watch for as long as the process runs. */
export class Store<T extends KubeObject> {
  readonly kind: Kind;
  readonly #client: KubeClient;
  readonly #onChange: (object: T) => void;
  readonly #onTrouble: (error: unknown) => void;
  #objects = new Map<string, T>();
  #synced = false;
  /** When the server was last heard of, in milliseconds of the epoch; the process's liveness reads it. */
  heardAt = 0;

  constructor(kind: Kind, client: KubeClient, onChange: (object: T) => void, onTrouble: (error: unknown) => void) {
    this.kind = kind;
    this.#client = client;
    this.#onChange = onChange;
    this.#onTrouble = onTrouble;
  }

  get synced(): boolean {
    return this.#synced;
  }

  get(namespace: string, name: string): T | undefined {
    return this.#objects.get(`${namespace}/${name}`);
  }

  /** All objects of a namespace, sorted by name. */
  inNamespace(namespace: string): T[] {
    return this.all().filter((object) => object.metadata.namespace === namespace);
  }

  /** All objects, sorted by namespace and name. */
  all(): T[] {
    return [...this.#objects.values()].sort((left, right) => (keyOf(left.metadata) < keyOf(right.metadata) ? -1 : 1));
  }

  /** Lists, watches, and starts again from the list after any error, until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted;) {
      try {
        let version = await this.#list();
        failures = 0;
        while (!signal.aborted) version = await this.#watch(version);
      } catch (error) {
        failures += 1;
        if (!(error instanceof ApiError && error.statusCode === 410)) this.#onTrouble(error);
        await sleep(Math.min(10_000, 250 * 2 ** failures) * (0.5 + Math.random() / 2));
      }
    }
  }

  async #list(): Promise<string> {
    const path = `/${kinds[this.kind]}`;
    const fresh = new Map<string, T>();
    let version = "";
    for (let token: string | undefined = ""; token !== undefined;) {
      const page: ObjectList<T> = await this.#client.list<T>(path, {
        limit: "500",
        ...(token === "" ? {} : { continue: token }),
      });
      for (const item of page.items) fresh.set(keyOf(item.metadata), this.#typed(item));
      version = page.metadata.resourceVersion ?? version;
      token = page.metadata.continue === "" ? undefined : page.metadata.continue;
    }
    const gone = [...this.#objects].filter(([key]) => !fresh.has(key)).map(([, object]) => object);
    this.#objects = fresh;
    this.#synced = true;
    this.heardAt = Date.now();
    for (const object of [...fresh.values(), ...gone]) this.#onChange(object);
    return version;
  }

  async #watch(from: string): Promise<string> {
    let version = from;
    const query = {
      resourceVersion: from,
      allowWatchBookmarks: "true",
      timeoutSeconds: String(watchSeconds),
    };
    await this.#client.watch(pathOf(this.kind), query, (watchSeconds + 30) * 1000, (line) => {
      const { type, object } = JSON.parse(line) as WatchEvent;
      this.heardAt = Date.now();
      if (type === "ERROR") throw new ApiError(object.code ?? 0, "Watch", object.message ?? "the watch failed");
      version = object.metadata.resourceVersion ?? version;
      if (type === "BOOKMARK") return;
      const item = this.#typed(object as unknown as T);
      if (type === "DELETED") this.#objects.delete(keyOf(item.metadata));
      else this.#objects.set(keyOf(item.metadata), item);
      this.#onChange(item);
    });
    this.heardAt = Date.now();
    return version;
  }

  /** Items of a list come without kind and apiVersion. */
  #typed(object: T): T {
    const [, group, version] = kinds[this.kind].split("/");
    const apiVersion = kinds[this.kind].startsWith("apis/") ? `${group ?? ""}/${version ?? ""}` : (group ?? "");
    return { ...object, kind: this.kind, apiVersion };
  }
}
