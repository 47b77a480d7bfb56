/** Stands before a real API server and makes it a bad one: per kind, verb and namespace. */
import {
  createServer,
  type IncomingMessage,
  request as httpRequest,
  type Server,
  type ServerResponse,
} from "node:http";
import { request as httpsRequest, type RequestOptions } from "node:https";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { KubeConfig } from "@kubernetes/client-node";
import { HttpKubeClient, type KubeClient } from "../../../operator/src/kube/client.ts";
import { Transport } from "../../../operator/src/kube/transport.ts";

export type Verb = "discover" | "get" | "list" | "watch" | "create" | "replace" | "patch" | "delete";

/** What a request that matches comes to. */
export type Fault =
  | 403
  | 404
  | 409
  | 410
  | 429
  | 500
  | 503
  /** It is taken and never answered; a watch opens, and brings nothing. */
  | "silence"
  /** The connection is cut before an answer, or within a watch. */
  | "cut"
  /** Half of the answer comes, as if it were all of it. */
  | "truncated"
  /** A page of something in between. */
  | "html"
  /** JSON of another shape. */
  | "shape"
  /** A byte now and then. */
  | "trickle"
  /** A watch that ends at once, again and again; as 410 comes within a watch. */
  | "ends"
  | "expired";

export interface Rule {
  readonly fault: Fault;
  readonly verbs?: readonly Verb[];
  /** As in the URL; all of them where it is left out. */
  readonly plurals?: readonly string[];
  readonly namespace?: string;
}

interface Asked {
  readonly verb: Verb;
  readonly plural: string;
  readonly namespace: string | undefined;
}

const PAUSE_MS = 50;

export class BadServer {
  readonly #config: KubeConfig;
  readonly #server: Server;
  readonly #transports: Transport[] = [];
  /** Open watches, with what breaks each of them off. */
  readonly #watches = new Map<ServerResponse, Asked>();
  #rules: readonly Rule[] = [];
  /** Requests that met a fault. */
  spoilt = 0;

  private constructor(config: KubeConfig) {
    this.#config = config;
    this.#server = createServer((request, response) => {
      void this.#answer(request, response).catch(() => response.destroy());
    });
  }

  static async before(config: KubeConfig): Promise<BadServer> {
    const server = new BadServer(config);
    server.#server.listen(0, "127.0.0.1");
    await once(server.#server, "listening");
    return server;
  }

  /** @param timeoutMs of each call */
  client(timeoutMs = 1_000): KubeClient {
    const config = new KubeConfig();
    const server = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    config.loadFromClusterAndUser({ name: "bad", server, skipTLSVerify: true }, { name: "nobody" });
    const transport = new Transport(config, () => undefined);
    this.#transports.push(transport);
    return new HttpKubeClient(transport, { timeoutMs });
  }

  /** From now on; open watches that a rule is about meet it too. */
  spoil(...rules: readonly Rule[]): void {
    this.#rules = rules;
    for (const [response, asked] of this.#watches)
      if (this.#ruleFor(asked) !== undefined && this.#ruleFor(asked)?.fault !== "silence") response.destroy();
  }

  heal(): void {
    this.#rules = [];
  }

  async stop(): Promise<void> {
    for (const transport of this.#transports) transport.close();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  #ruleFor({ verb, plural, namespace }: Asked): Rule | undefined {
    return this.#rules.find(
      (rule) =>
        (rule.verbs === undefined || rule.verbs.includes(verb)) &&
        (rule.plurals === undefined || rule.plurals.includes(plural)) &&
        (rule.namespace === undefined || rule.namespace === namespace),
    );
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const asked = readRequest(request);
    const fault = this.#ruleFor(asked)?.fault;
    const body: Buffer[] = [];
    for await (const chunk of request) body.push(chunk as Buffer);
    if (fault === undefined) return await this.#forward(request, Buffer.concat(body), response, asked);
    this.spoilt++;
    await this.#spoiled(fault, request, Buffer.concat(body), response, asked);
  }

  async #spoiled(fault: Fault, request: IncomingMessage, body: Buffer, response: ServerResponse, asked: Asked) {
    const watch = asked.verb === "watch";
    switch (fault) {
      case "silence":
        if (watch) response.writeHead(200, { "content-type": "application/json" }).flushHeaders();
        return;
      case "cut":
        response.destroy();
        return;
      case "truncated": {
        const whole = await this.#fetch(request, body, watch);
        response.writeHead(200, { "content-type": "application/json" });
        response.end(watch ? '{"type":"ADDED","obj' : whole.slice(0, whole.length / 2));
        return;
      }
      case "html":
        response.writeHead(200, { "content-type": "text/html" });
        response.end("<html><body>Sign in</body></html>");
        return;
      case "shape":
        response.writeHead(200, { "content-type": "application/json" });
        response.end('{"items":{}}\n');
        return;
      case "trickle":
        response.writeHead(200, { "content-type": "application/json" });
        while (!response.destroyed) {
          response.write(" ");
          await sleep(PAUSE_MS);
        }
        return;
      case "ends":
        response.writeHead(200, { "content-type": "application/json" });
        response.end();
        return;
      case "expired":
        response.writeHead(200, { "content-type": "application/json" });
        response.end(`${JSON.stringify({ type: "ERROR", object: { kind: "Status", code: 410 } })}\n`);
        return;
      default:
        response.writeHead(fault, { "content-type": "application/json", ...(fault === 429 && { "retry-after": "1" }) });
        response.end(JSON.stringify({ kind: "Status", code: fault, message: `it is a bad server: ${fault}` }));
    }
  }

  /** As the API server answers; where a rule comes meanwhile, nothing more of a watch. */
  async #forward(request: IncomingMessage, body: Buffer, response: ServerResponse, asked: Asked): Promise<void> {
    const answer = await this.#send(request, body);
    response.writeHead(answer.statusCode ?? 502, answer.headers).flushHeaders();
    if (asked.verb === "watch") this.#watches.set(response, asked);
    response.on("close", () => {
      this.#watches.delete(response);
      answer.destroy();
    });
    for await (const chunk of answer) if (this.#ruleFor(asked)?.fault !== "silence") response.write(chunk);
    response.end();
  }

  async #fetch(request: IncomingMessage, body: Buffer, watch: boolean): Promise<string> {
    if (watch) return "";
    let text = "";
    for await (const chunk of await this.#send(request, body)) text += String(chunk);
    return text;
  }

  async #send(request: IncomingMessage, body: Buffer): Promise<IncomingMessage> {
    const cluster = this.#config.getCurrentCluster();
    const auth: RequestOptions = {};
    await this.#config.applyToHTTPSOptions(auth);
    const url = new URL(request.url ?? "/", cluster?.server);
    const { host: _host, connection: _connection, ...headers } = request.headers;
    const options = { ...auth, method: request.method ?? "GET", headers: { ...headers, ...(auth.headers as object) } };
    return await new Promise((resolve, reject) => {
      const send = url.protocol === "https:" ? httpsRequest : httpRequest;
      send(url, options, resolve).on("error", reject).end(body);
    });
  }
}

/** /api/v1/… and /apis/<group>/<version>/…, with or without a namespace. */
function readRequest(request: IncomingMessage): Asked {
  const url = new URL(request.url ?? "/", "http://server");
  const parts = url.pathname.split("/").filter((part) => part !== "");
  const rest = parts.slice(parts[0] === "api" ? 2 : 3);
  const namespace = rest[0] === "namespaces" && rest.length > 2 ? rest[1] : undefined;
  const [plural, name] = namespace === undefined ? rest : rest.slice(2);
  if (plural === undefined) return { verb: "discover", plural: parts[1] ?? "", namespace };
  const verbs: Record<string, Verb> = { POST: "create", PUT: "replace", PATCH: "patch", DELETE: "delete" };
  const read: Verb = name !== undefined ? "get" : url.searchParams.get("watch") === "true" ? "watch" : "list";
  return { verb: verbs[request.method ?? ""] ?? read, plural, namespace };
}
