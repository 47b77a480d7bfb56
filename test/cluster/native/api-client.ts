/** Just enough of the Kubernetes API for the supervisor: JSON over one kept connection, as an administrator. */
import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { ClusterError } from "../host/errors.ts";
import { apiUrl } from "./programs.ts";
import { type NodeSettings } from "./settings.ts";

/** The API server answered, but not with success. */
export class ApiRefused extends ClusterError {
  readonly code = "API_REFUSED";
  readonly status: number;
  constructor(method: string, path: string, status: number, body: string) {
    super(`${method} ${path}: ${status} ${body.slice(0, 300)}`);
    this.status = status;
  }
}

export type ApiClient = (method: "GET" | "POST" | "DELETE", path: string, body?: unknown) => Promise<unknown>;

/** A client with the certificates in the folder `pki`. */
export function apiClient(settings: NodeSettings, pki: string): ApiClient {
  const read = (name: string): Buffer => readFileSync(`${pki}/${name}`);
  const agent = new Agent({ keepAlive: true, ca: read("ca.crt"), cert: read("admin.crt"), key: read("admin.key") });
  return async (method, path, body) =>
    await new Promise((resolve, reject) => {
      const headers = { "content-type": "application/json" };
      const call = request(`${apiUrl(settings)}${path}`, { method, agent, headers, timeout: 30_000 }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        response.on("end", () => {
          const status = response.statusCode ?? 0;
          if (status < 300) resolve(JSON.parse(text));
          else reject(new ApiRefused(method, path, status, text));
        });
        response.on("error", reject);
      });
      call.on("timeout", () => call.destroy(new Error(`${method} ${path}: no answer in 30 s`)));
      call.on("error", reject);
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
}
