import https from "node:https";
import type { IncomingMessage } from "node:http";
import { StringDecoder } from "node:string_decoder";
import type { KubeConfig } from "@kubernetes/client-node";
import type { KubeObject } from "../core/objects.ts";
import { isKind, pathOf } from "./kinds.ts";
import type { Kind } from "./kinds.ts";

const requestTimeoutMs = 15_000;
const fieldManager = "caudal-stand-ins";

/** What the API server answered when it did not do as asked. */
export class ApiError extends Error {
  readonly code = "KubeApi";
  readonly statusCode: number;
  readonly reason: string;

  constructor(statusCode: number, reason: string, message: string) {
    super(message);
    this.statusCode = statusCode;
    this.reason = reason;
  }
}

export interface ObjectList<T> {
  metadata: { resourceVersion?: string; continue?: string };
  items: T[];
}

interface Call {
  method: string;
  path: string;
  query?: Record<string, string>;
  contentType?: string;
  body?: unknown;
}

/** A small client of the Kubernetes API: JSON in and out, every request with a time limit. */
export class KubeClient {
  readonly #config: KubeConfig;

  constructor(config: KubeConfig) {
    this.#config = config;
  }

  /** Reads one object; undefined when there is none. */
  async get<T extends KubeObject>(kind: Kind, namespace: string, name: string): Promise<T | undefined> {
    try {
      return await this.#json<T>({ method: "GET", path: pathOf(kind, namespace, name) });
    } catch (error) {
      if (error instanceof ApiError && error.statusCode === 404) return undefined;
      throw error;
    }
  }

  /** Reads one page of a collection. */
  async list<T extends KubeObject>(path: string, query: Record<string, string> = {}): Promise<ObjectList<T>> {
    return this.#json<ObjectList<T>>({ method: "GET", path, query });
  }

  /** Creates an object; false when one of its name is there already. */
  async create(object: KubeObject): Promise<boolean> {
    try {
      const path = pathOf(kindOf(object), object.metadata.namespace);
      await this.#json({ method: "POST", path, contentType: "application/json", body: object });
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.reason === "AlreadyExists") return false;
      throw error;
    }
  }

  /** Makes an object be as given by server-side apply, taking over fields that others set. */
  async apply<T extends KubeObject>(object: T): Promise<T> {
    return this.#json<T>({
      method: "PATCH",
      path: pathOf(kindOf(object), object.metadata.namespace, object.metadata.name),
      query: { fieldManager, force: "true" },
      contentType: "application/apply-patch+yaml",
      body: object,
    });
  }

  /** Changes the given fields of an object by a JSON merge patch. */
  async merge<T extends KubeObject>(object: T, patch: Record<string, unknown>): Promise<T> {
    return this.#json<T>({
      method: "PATCH",
      path: pathOf(kindOf(object), object.metadata.namespace, object.metadata.name),
      contentType: "application/merge-patch+json",
      body: patch,
    });
  }

  /** Replaces an object's whole status; refused with 409 when the object has changed since it was read. */
  async replaceStatus(object: KubeObject, status: object): Promise<void> {
    await this.#json({
      method: "PUT",
      path: `${pathOf(kindOf(object), object.metadata.namespace, object.metadata.name)}/status`,
      contentType: "application/json",
      body: { ...object, status },
    });
  }

  /** Asks for an object's deletion; one that is not there is no error. */
  async delete(kind: Kind, namespace: string | undefined, name: string): Promise<void> {
    try {
      await this.#json({ method: "DELETE", path: pathOf(kind, namespace, name) });
    } catch (error) {
      if (!(error instanceof ApiError && error.statusCode === 404)) throw error;
    }
  }

  /** Follows a watch line by line until the server ends it; `idleMs` without a byte is an error. */
  async watch(
    path: string,
    query: Record<string, string>,
    idleMs: number,
    onLine: (line: string) => void,
  ): Promise<void> {
    const response = await this.#send({ method: "GET", path, query: { ...query, watch: "true" } }, idleMs);
    const decoder = new StringDecoder("utf8");
    let rest = "";
    try {
      for await (const chunk of response) {
        const lines = (rest + decoder.write(chunk as Buffer)).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) onLine(line);
      }
    } finally {
      response.destroy();
    }
  }

  async #json<T>(call: Call): Promise<T> {
    const response = await this.#send(call, requestTimeoutMs);
    return JSON.parse(await textOf(response)) as T;
  }

  async #send(call: Call, idleMs: number): Promise<IncomingMessage> {
    const server = this.#config.getCurrentCluster()?.server ?? "";
    const query = new URLSearchParams(call.query).toString();
    const url = new URL(`${server}${call.path}${query === "" ? "" : `?${query}`}`);
    const options: https.RequestOptions = { method: call.method, headers: { accept: "application/json" } };
    await this.#config.applyToHTTPSOptions(options);
    if (call.contentType !== undefined) {
      options.headers = { ...(options.headers as Record<string, string>), "content-type": call.contentType };
    }
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = https.request(url, options, resolve);
      request.setTimeout(idleMs, () =>
        request.destroy(new ApiError(0, "Timeout", `${call.method} ${call.path}: silent for ${String(idleMs)} ms`)),
      );
      request.on("error", reject);
      request.end(call.body === undefined ? undefined : JSON.stringify(call.body));
    });
    const statusCode = response.statusCode ?? 0;
    if (statusCode < 400) return response;
    const text = await textOf(response);
    throw new ApiError(
      statusCode,
      reasonOf(text),
      `${call.method} ${call.path}: ${String(statusCode)} ${text.slice(0, 500)}`,
    );
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

function reasonOf(text: string): string {
  const match = /"reason"\s*:\s*"([A-Za-z]+)"/.exec(text);
  return match?.[1] ?? "Unknown";
}

function kindOf(object: KubeObject): Kind {
  if (isKind(object.kind)) return object.kind;
  throw new ApiError(0, "UnknownKind", `the client does not know where ${object.kind} is served`);
}
