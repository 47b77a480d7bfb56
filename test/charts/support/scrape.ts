/** Prometheus' configuration for scraping Caudal's pods through the API server, from outside the cluster. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CoreV1Api, KubeConfig } from "@kubernetes/client-node";

export interface Scrape {
  readonly config: Readonly<Record<string, unknown>>;
  /** Removes the credentials that the configuration names. */
  remove(): Promise<void>;
}

/** The operator, and every stage. */
const selectors = ["app.kubernetes.io/name=caudal,app.kubernetes.io/component=operator", "caudal.dev/stage"];

/**
 * Scrapes the pods of operator and stages that run now in some namespaces, with the kubeconfig's identity. The pods are
 * listed here, because Debian builds its Prometheus without discovery in Kubernetes.
 */
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
  const config = {
    global: { scrape_interval: "2s", scrape_timeout: "2s", evaluation_interval: "2s" },
    scrape_configs: [
      {
        job_name: "caudal",
        scheme: "https",
        tls_config: {
          ca_file: await file("ca.crt", cluster.caFile, cluster.caData),
          cert_file: await file("client.crt", user.certFile, user.certData),
          key_file: await file("client.key", user.keyFile, user.keyData),
          insecure_skip_verify: cluster.skipTLSVerify === true,
        },
        ...(user.token === undefined ? {} : { authorization: { credentials: user.token } }),
        honor_labels: true,
        static_configs: (await podsOf(kube, namespaces)).map(({ namespace, pod }) => ({
          targets: [new URL(cluster.server).host],
          labels: { pod, __metrics_path__: `/api/v1/namespaces/${namespace}/pods/${pod}:8080/proxy/metrics` },
        })),
      },
    ],
  };
  return { config, remove: async () => await rm(folder, { recursive: true, force: true }) };
}

async function podsOf(kube: KubeConfig, namespaces: readonly string[]): Promise<{ namespace: string; pod: string }[]> {
  const api = kube.makeApiClient(CoreV1Api);
  const asked = namespaces.flatMap((namespace) => selectors.map((labelSelector) => ({ namespace, labelSelector })));
  const answers = await Promise.all(asked.map(async (question) => await api.listNamespacedPod(question)));
  return answers.flatMap(({ items }) =>
    items
      .filter(({ metadata, status }) => status?.phase === "Running" && metadata?.deletionTimestamp === undefined)
      .map(({ metadata }) => ({ namespace: metadata?.namespace ?? "", pod: metadata?.name ?? "" })),
  );
}
