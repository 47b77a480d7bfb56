/** /metrics, /livez and /readyz. */
import { createServer, type Server } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";

export interface Probes {
  /** What is wrong, or nothing. */
  readonly live: () => string | undefined;
  readonly ready: () => Readiness;
}

export interface Readiness {
  readonly ready: boolean;
  /** Shown also while ready: what is not as it should be, a line each. */
  readonly message: string;
}

export interface HttpServer {
  readonly port: number;
  close(): Promise<void>;
}

export async function serveHttp(port: number, registry: Registry, probes: Probes): Promise<HttpServer> {
  const server: Server = createServer((request, response) => {
    const answer = (status: number, body: string, type = "text/plain; charset=utf-8") => {
      response.writeHead(status, { "content-type": type });
      response.end(body);
    };
    const probe = (wrong: string | undefined) => answer(wrong === undefined ? 200 : 503, `${wrong ?? "ok"}\n`);
    switch (request.url?.split("?")[0]) {
      case "/livez":
        probe(probes.live());
        return;
      case "/readyz": {
        const { ready, message } = probes.ready();
        answer(ready ? 200 : 503, `${message}\n`);
        return;
      }
      case "/metrics":
        registry.metrics().then(
          (text) => answer(200, text, registry.contentType),
          (error: unknown) => answer(500, `${String(error)}\n`),
        );
        return;
      default:
        answer(404, "/metrics, /livez and /readyz are here\n");
    }
  });
  server.listen(port);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
