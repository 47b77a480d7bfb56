/** HTTP to the API server with the credentials of a KubeConfig; every call has a time limit. */
import { request as httpRequest, type IncomingMessage } from "node:http";
import { Agent, request as httpsRequest, type RequestOptions } from "node:https";
import type { KubeConfig } from "@kubernetes/client-node";
import { Unreachable } from "./errors.ts";

export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly accept?: string;
  /** Until the answer begins. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly retryAfterMs: number;
  readonly body: IncomingMessage;
}

/** A server, or what stands before it, that asks for more is asked again after this. */
const LONGEST_RETRY_SECONDS = 60;

/** Counts each answer; the code is `<error>` where there was none. */
export type CountRequest = (labels: { code: string; method: string; host: string }) => void;

export class Transport {
  readonly #config: KubeConfig;
  readonly #server: URL;
  readonly #count: CountRequest;
  #agent: { key: string; agent: Agent } | undefined;

  /** @param config with a current context; in a cluster its token is read again as it rotates */
  constructor(config: KubeConfig, count: CountRequest) {
    const cluster = config.getCurrentCluster();
    if (cluster === null) throw new Unreachable("no cluster is configured: set KUBECONFIG, or run in a pod");
    this.#config = config;
    this.#server = new URL(cluster.server);
    this.#count = count;
  }

  /** Resolves when the answer's head has come; the caller reads or destroys the body. */
  async send(call: Call): Promise<Answer> {
    const url = new URL(this.#server.href.replace(/\/$/, "") + call.path);
    for (const [name, value] of Object.entries(call.query ?? {})) url.searchParams.set(name, value);
    const payload = call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body));
    const options = await this.#options(call, payload);
    const labels = { method: call.method, host: url.host };
    return await new Promise<Answer>((resolve, reject) => {
      const send = url.protocol === "http:" ? httpRequest : httpsRequest;
      const request = send(url, options, (body) => {
        clearTimeout(timer);
        const status = body.statusCode ?? 0;
        this.#count({ code: String(status), ...labels });
        const asked = Number(body.headers["retry-after"]) || 1;
        resolve({ status, retryAfterMs: 1000 * Math.min(Math.max(asked, 0), LONGEST_RETRY_SECONDS), body });
      });
      const fail = (error: Error) => {
        clearTimeout(timer);
        this.#count({ code: "<error>", ...labels });
        reject(new Unreachable(`${call.method} ${call.path}: ${error.message}`, { cause: error }));
      };
      const timer = setTimeout(
        () => request.destroy(new Unreachable(`no answer after ${call.timeoutMs} ms`)),
        call.timeoutMs,
      );
      request.on("error", fail);
      request.end(payload);
    });
  }

  close(): void {
    this.#agent?.agent.destroy();
  }

  async #options(call: Call, payload: Buffer | undefined): Promise<RequestOptions> {
    const auth: RequestOptions = { headers: {} };
    await this.#config.applyToHTTPSOptions(auth);
    const { ca, cert, key, rejectUnauthorized, servername } = auth;
    const options: RequestOptions = {
      method: call.method,
      auth: auth.auth,
      headers: {
        ...(auth.headers as Record<string, string>),
        accept: call.accept ?? "application/json",
        "user-agent": "caudal-operator",
      },
    };
    if (payload !== undefined)
      Object.assign(options.headers as object, {
        "content-type": call.contentType ?? "application/json",
        "content-length": String(payload.length),
      });
    if (call.signal !== undefined) options.signal = call.signal;
    if (this.#config.getCurrentCluster()?.proxyUrl !== undefined) return { ...options, agent: auth.agent };
    // KubeConfig's own agent opens a connection for each request.
    const tls = { ca, cert, key, rejectUnauthorized: rejectUnauthorized ?? true, servername };
    const identity = JSON.stringify([String(ca), String(cert), String(key), tls.rejectUnauthorized, servername]);
    if (this.#server.protocol === "https:" && this.#agent?.key !== identity) {
      this.#agent?.agent.destroy();
      this.#agent = { key: identity, agent: new Agent({ ...tls, keepAlive: true, maxFreeSockets: 16 }) };
    }
    return this.#agent === undefined ? options : { ...options, agent: this.#agent.agent };
  }
}
