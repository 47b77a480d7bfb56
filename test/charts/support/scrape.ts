/** Prometheus' configuration for scraping Caudal's pods through the API server, from outside the cluster. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";

export interface Scrape {
  readonly config: Readonly<Record<string, unknown>>;
  /** Removes the credentials that the configuration names. */
  remove(): Promise<void>;
}

/** Scrapes every second or two the operator and all workloads of some namespaces, with the kubeconfig's identity. */
export async function scrapeThroughApiServer(kubeconfig: string, namespaces: readonly string[]): Promise<Scrape> {
  const kube = new KubeConfig();
  kube.loadFromFile(kubeconfig);
  const cluster = kube.getCurrentCluster();
  const user = kube.getCurrentUser();
  if (cluster === null || user === null) throw new Error(`${kubeconfig} names no current cluster and user`);
  const folder = await mkdtemp(join(tmpdir(), "caudal-scrape-"));
  /** Path of a credential: the kubeconfig's own file, or one with the data that it holds. */
  const file = async (name: string, path?: string, data?: string): Promise<string | undefined> => {
    if (path !== undefined) return path;
    if (data === undefined) return undefined;
    await writeFile(join(folder, name), Buffer.from(data, "base64"), { mode: 0o600 });
    return join(folder, name);
  };
  const tls = {
    ca_file: await file("ca.crt", cluster.caFile, cluster.caData),
    cert_file: await file("client.crt", user.certFile, user.certData),
    key_file: await file("client.key", user.keyFile, user.keyData),
    insecure_skip_verify: cluster.skipTLSVerify === true,
  };
  const authorization = user.token === undefined ? {} : { authorization: { credentials: user.token } };
  const meta = (name: string): string => `__meta_kubernetes_pod_${name}`;
  const config = {
    global: { scrape_interval: "2s", scrape_timeout: "2s", evaluation_interval: "2s" },
    scrape_configs: [
      {
        job_name: "caudal",
        scheme: "https",
        tls_config: tls,
        ...authorization,
        honor_labels: true,
        kubernetes_sd_configs: [
          { role: "pod", api_server: cluster.server, tls_config: tls, ...authorization, namespaces: { names: namespaces } },
        ],
        relabel_configs: [
          {
            source_labels: [meta("label_caudal_dev_stage"), meta("label_app_kubernetes_io_component")],
            regex: ".+;.*|;operator",
            action: "keep",
          },
          { source_labels: [meta("phase")], regex: "Running", action: "keep" },
          { source_labels: [meta("container_port_name")], regex: "http", action: "keep" },
          {
            source_labels: ["__meta_kubernetes_namespace", meta("name")],
            regex: "(.+);(.+)",
            target_label: "__metrics_path__",
            replacement: "/api/v1/namespaces/$1/pods/$2:8080/proxy/metrics",
          },
          { source_labels: [meta("name")], target_label: "pod" },
          { target_label: "__address__", replacement: new URL(cluster.server).host },
        ],
      },
    ],
  };
  return { config, remove: async () => await rm(folder, { recursive: true, force: true }) };
}
