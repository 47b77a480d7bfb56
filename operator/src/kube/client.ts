/** The verbs of the Kubernetes API that the operator uses. */
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { MANAGER } from "@caudal/crds";
import { BadAnswer, errorOf, KindNotServed, KubeError, NotFound, TooManyRequests, Unreachable } from "./errors.ts";
import { type KubeObject, pathOf, type Resource, resourceOf } from "./object.ts";
import type { Call, Transport } from "./transport.ts";

export interface ListPage {
  readonly items: KubeObject[];
  readonly resourceVersion: string;
  readonly next: string | undefined;
}

export interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: KubeObject;
}

/** What a delete or a patch must find. */
export interface Precondition {
  readonly uid: string;
  readonly resourceVersion: string;
}

export interface KubeClient {
  /** Undefined only where the server says that this very object does not exist. */
  get(resource: Resource, namespace: string, name: string): Promise<KubeObject | undefined>;
  list(resource: Resource, namespace: string | undefined, query: Record<string, string>): Promise<ListPage>;
  /**
   * Calls `onEvent` for each event until the server ends the watch or `signal` fires; `onOpen` when the server has
   * accepted it.
   */
  watch(
    resource: Resource,
    namespace: string | undefined,
    query: Record<string, string>,
    onEvent: (event: WatchEvent) => void,
    signal: AbortSignal,
    onOpen?: () => void,
  ): Promise<void>;
  /** Server-side apply of a full object; its resourceVersion, where it has one, must still be the live one. */
  apply(object: KubeObject, options?: { dryRun?: boolean }): Promise<KubeObject>;
  create(object: KubeObject): Promise<KubeObject>;
  replace(object: KubeObject): Promise<KubeObject>;
  /** JSON merge patch of an object, or of its status. */
  patch(
    resource: Resource,
    at: { namespace: string; name: string; subresource?: "status" },
    patch: unknown,
  ): Promise<KubeObject>;
  /** Resolves also when the object was gone already. */
  delete(resource: Resource, at: { namespace: string; name: string }, only: Precondition): Promise<void>;
  /** Plurals that a group version serves; undefined where it is not there at all. */
  discover(apiVersion: string): Promise<ReadonlySet<string> | undefined>;
}

const CALL_TIMEOUT_MS = 20_000;
const LONGEST_PAUSE_MS = 10_000;
/** Attempts at a call that the server answers with 429. */
const ATTEMPTS = 4;

export class HttpKubeClient implements KubeClient {
  readonly #transport: Transport;
  readonly #timeoutMs: number;

  constructor(transport: Transport, options: { readonly timeoutMs?: number } = {}) {
    this.#transport = transport;
    this.#timeoutMs = options.timeoutMs ?? CALL_TIMEOUT_MS;
  }

  async get(resource: Resource, namespace: string, name: string): Promise<KubeObject | undefined> {
    try {
      const path = pathOf(resource, namespace, name);
      const object = (await this.#json({ method: "GET", path })) as KubeObject;
      if (!isObject(object) || object.metadata.name !== name)
        throw new BadAnswer(`GET ${path}: the answer is not this object`);
      return object;
    } catch (error) {
      if (error instanceof NotFound && !(error instanceof KindNotServed)) return undefined;
      throw error;
    }
  }

  async list(resource: Resource, namespace: string | undefined, query: Record<string, string>): Promise<ListPage> {
    const path = pathOf(resource, namespace);
    const list = (await this.#json({ method: "GET", path, query })) as {
      metadata?: { resourceVersion?: string; continue?: string };
      items?: KubeObject[];
    };
    if (!Array.isArray(list.items) || !list.items.every(isObject) || list.metadata?.resourceVersion === undefined)
      throw new BadAnswer(`GET ${path}: the answer is no list`);
    // Items of a list do not repeat what the list says of itself.
    const items = list.items.map((item) => ({ ...item, apiVersion: resource.apiVersion, kind: resource.kind }));
    return { items, resourceVersion: list.metadata.resourceVersion, next: list.metadata.continue || undefined };
  }

  async watch(
    resource: Resource,
    namespace: string | undefined,
    query: Record<string, string>,
    onEvent: (event: WatchEvent) => void,
    signal: AbortSignal,
    onOpen?: () => void,
  ): Promise<void> {
    const path = pathOf(resource, namespace);
    const call: Call = {
      method: "GET",
      path,
      query: { ...query, watch: "true", allowWatchBookmarks: "true" },
      timeoutMs: this.#timeoutMs,
      signal,
    };
    const { status, body, retryAfterMs } = await this.#transport.send(call);
    if (status !== 200) throw errorOf(status, `watch ${path}`, messageIn(await text(body)), retryAfterMs);
    onOpen?.();
    // The server ends a watch at timeoutSeconds; a socket that outlives it is dead.
    const limit = setTimeout(() => body.destroy(), (Number(query["timeoutSeconds"] ?? 300) + 30) * 1000);
    try {
      let rest = "";
      body.setEncoding("utf8");
      for await (const chunk of body) {
        const lines = (rest + String(chunk)).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) if (line !== "") onEvent(eventIn(line, `watch ${path}`));
      }
      if (rest.trim() !== "") throw new BadAnswer(`watch ${path}: the answer was cut off within an event`);
    } catch (error) {
      if (signal.aborted || error instanceof KubeError) throw error;
      throw new Unreachable(`watch ${path}: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      clearTimeout(limit);
      body.destroy();
    }
  }

  async apply(object: KubeObject, options: { dryRun?: boolean } = {}): Promise<KubeObject> {
    const { namespace, name } = object.metadata;
    return (await this.#json({
      method: "PATCH",
      path: pathOf(resourceOf(object), namespace, name),
      query: { fieldManager: MANAGER, force: "true", ...(options.dryRun === true ? { dryRun: "All" } : {}) },
      body: object,
      contentType: "application/apply-patch+yaml",
    })) as KubeObject;
  }

  async create(object: KubeObject): Promise<KubeObject> {
    const path = pathOf(resourceOf(object), object.metadata.namespace);
    return (await this.#json({
      method: "POST",
      path,
      query: { fieldManager: MANAGER },
      body: object,
    })) as KubeObject;
  }

  async replace(object: KubeObject): Promise<KubeObject> {
    const path = pathOf(resourceOf(object), object.metadata.namespace, object.metadata.name);
    return (await this.#json({ method: "PUT", path, query: { fieldManager: MANAGER }, body: object })) as KubeObject;
  }

  async patch(
    resource: Resource,
    at: { namespace: string; name: string; subresource?: "status" },
    patch: unknown,
  ): Promise<KubeObject> {
    const path = pathOf(resource, at.namespace, at.name) + (at.subresource === undefined ? "" : `/${at.subresource}`);
    return (await this.#json({
      method: "PATCH",
      path,
      query: { fieldManager: MANAGER },
      body: patch,
      contentType: "application/merge-patch+json",
    })) as KubeObject;
  }

  async delete(resource: Resource, at: { namespace: string; name: string }, only: Precondition): Promise<void> {
    const body = { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy: "Background", preconditions: only };
    try {
      await this.#json({ method: "DELETE", path: pathOf(resource, at.namespace, at.name), body });
    } catch (error) {
      if (!(error instanceof NotFound) || error instanceof KindNotServed) throw error;
    }
  }

  async discover(apiVersion: string): Promise<ReadonlySet<string> | undefined> {
    try {
      const path = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
      const list = (await this.#json({ method: "GET", path })) as { resources?: { name: string }[] };
      if (!Array.isArray(list.resources)) throw new BadAnswer(`GET ${path}: the answer is no list of resources`);
      return new Set(list.resources.map((entry) => entry.name));
    } catch (error) {
      if (error instanceof NotFound) return undefined;
      throw error;
    }
  }

  async #json(call: Omit<Call, "timeoutMs">): Promise<unknown> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#once(call);
      } catch (error) {
        if (!(error instanceof TooManyRequests) || attempt === ATTEMPTS) throw error;
        await sleep(Math.min(error.retryAfterMs, LONGEST_PAUSE_MS));
      }
    }
  }

  async #once(call: Omit<Call, "timeoutMs">): Promise<unknown> {
    const what = `${call.method} ${call.path}`;
    const { status, body, retryAfterMs } = await this.#transport.send({ ...call, timeoutMs: this.#timeoutMs });
    const limit = setTimeout(() => body.destroy(new Unreachable("the answer did not end")), this.#timeoutMs);
    let content: string;
    try {
      content = await text(body);
    } catch (error) {
      throw new Unreachable(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      clearTimeout(limit);
    }
    if (status === 404 && namesObject(content, call.path)) throw new NotFound(`${what}: ${messageIn(content)}`);
    if (status < 200 || status > 299) throw errorOf(status, what, messageIn(content), retryAfterMs);
    return parse(content, what);
  }
}

function parse(content: string, what: string): unknown {
  try {
    return JSON.parse(content) as unknown;
  } catch {
    throw new BadAnswer(`${what}: the answer is not JSON (${content.length} characters)`);
  }
}

function isObject(value: unknown): value is KubeObject {
  const { metadata } = (value ?? {}) as { metadata?: { name?: unknown } };
  return typeof metadata?.name === "string";
}

function eventIn(line: string, what: string): WatchEvent {
  const event = parse(line, what) as Partial<WatchEvent> | null;
  const { type, object } = event ?? {};
  if (type === undefined || object === undefined) throw new BadAnswer(`${what}: a line is no event`);
  if (type !== "ERROR" && type !== "BOOKMARK" && !isObject(object))
    throw new BadAnswer(`${what}: an event has no object`);
  if (type === "BOOKMARK" && (object as Partial<KubeObject>).metadata === undefined)
    throw new BadAnswer(`${what}: a bookmark has no version`);
  return { type, object };
}

/**
 * Whether a 404 is about the object of this path. Where the kind is not served, or something between us and the API
 * server answers, it names none.
 */
function namesObject(content: string, path: string): boolean {
  try {
    const { reason, details } = JSON.parse(content) as { reason?: unknown; details?: { name?: unknown } };
    const names = path.split("/").map(decodeURIComponent);
    return reason === "NotFound" && typeof details?.name === "string" && names.includes(details.name);
  } catch {
    return false;
  }
}

/** The `message` of a Status; of anything else nothing is repeated. */
function messageIn(content: string): string {
  try {
    const { message } = JSON.parse(content) as { message?: unknown };
    return typeof message === "string" ? message : "";
  } catch {
    return "the answer is no Status";
  }
}
