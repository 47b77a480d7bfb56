/** The API server, found as kubectl finds it. */
import { ApiException, CoreV1Api, CustomObjectsApi, KubeConfig, KubernetesObjectApi } from "@kubernetes/client-node";
import { type Call, textOption } from "../command.ts";
import { ClusterFailed, UsageError } from "../errors.ts";

export interface Kube {
  readonly config: KubeConfig;
  readonly namespace: string;
  readonly core: CoreV1Api;
  readonly custom: CustomObjectsApi;
  readonly objects: KubernetesObjectApi;
}

/** @throws UsageError for a kubeconfig that cannot be read, or a context that it does not have */
export function connectKube(call: Call): Kube {
  const config = new KubeConfig();
  const file = textOption(call, "kubeconfig");
  try {
    if (file === undefined) config.loadFromDefault();
    else config.loadFromFile(file);
  } catch (error) {
    throw new UsageError(`cannot read the kubeconfig ${file ?? ""}: ${describe(error)}`, { cause: error });
  }
  const context = textOption(call, "context");
  if (context !== undefined) {
    const names = config.getContexts().map(({ name }) => name);
    if (!names.includes(context))
      throw new UsageError(`the kubeconfig has no context ${context}: write one of ${names.join(", ")}`);
    config.setCurrentContext(context);
  }
  const current = config.getContextObject(config.getCurrentContext());
  return {
    config,
    namespace: textOption(call, "namespace") ?? current?.namespace ?? "default",
    core: config.makeApiClient(CoreV1Api),
    custom: config.makeApiClient(CustomObjectsApi),
    objects: KubernetesObjectApi.makeApiClient(config),
  };
}

/** Asks the API server for something that may not be there. @throws ClusterFailed for every other failure */
export async function findInCluster<T>(what: string, ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof ApiException && error.code === 404) return undefined;
    throw clusterError(what, error);
  }
}

/** @param what was asked for, such as `Secret/app` */
export function clusterError(what: string, error: unknown): ClusterFailed {
  if (!(error instanceof ApiException))
    return new ClusterFailed(`${what}: the API server cannot be reached: ${describe(error)}`, { cause: error });
  const said = messageOf(error.body);
  const hint = error.code === 403 ? "; ask for the right, or use another --context" : "";
  return new ClusterFailed(`${what}: ${said ?? `the API server answered ${error.code}`}${hint}`, { cause: error });
}

/** The message of a Status object; the body of anything else may hold what nobody should see. */
function messageOf(body: unknown): string | undefined {
  try {
    const status = (typeof body === "string" ? JSON.parse(body) : body) as { readonly message?: unknown } | null;
    return typeof status?.message === "string" ? status.message : undefined;
  } catch {
    return undefined; // no JSON: there is nothing to quote
  }
}

function describe(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(describe).join("; ");
  return error instanceof Error ? error.message : String(error);
}
