/** The workload's HTTP server: /metrics, /livez, /readyz and /status, GET only. */
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import { ConfigInvalid, describeError } from "./errors.ts";
import type { Health } from "./health.ts";

export interface HttpServer {
  readonly port: number;
  close(): Promise<void>;
}

interface Parts {
  readonly health: Health;
  readonly registry: Registry;
  readonly log: Logger;
}

/**
 * @param port 0 chooses a free one
 * @throws ConfigInvalid when the port cannot be listened on
 */
export async function serveHttp(port: number, parts: Parts): Promise<HttpServer> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    if (request.method !== "GET" && request.method !== "HEAD") return answer(response, 405, "use GET");
    route(path, response, parts).catch((error: unknown) => {
      parts.log.error({ path, error: describeError(error) }, "an HTTP request failed");
      if (response.headersSent) response.destroy();
      else answer(response, 500, "internal error; see the log");
    });
  });
  server.keepAliveTimeout = 5_000;
  await listen(server, port);
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

async function route(path: string, response: ServerResponse, { health, registry }: Parts): Promise<void> {
  switch (path) {
    case "/livez":
    case "/readyz": {
      const { ok, message } = path === "/livez" ? health.live() : health.ready();
      return answer(response, ok ? 200 : 503, message);
    }
    case "/status":
      return answer(response, 200, JSON.stringify(health.status()), "application/json");
    case "/metrics":
      return answer(response, 200, await registry.metrics(), registry.contentType);
    default:
      return answer(response, 404, "there are /metrics, /livez, /readyz and /status");
  }
}

function answer(response: ServerResponse, status: number, body: string, type = "text/plain; charset=utf-8"): void {
  const text = type.startsWith("text/plain; charset") ? `${body}\n` : body;
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(text) }).end(text);
}

async function listen(server: Server, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => {
      reject(
        new ConfigInvalid(`cannot listen on port ${port}: ${error.message}; set CAUDAL_HTTP_PORT to another`, {
          cause: error,
        }),
      );
    });
    server.listen(port, resolve);
  });
}
