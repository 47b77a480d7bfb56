/** The Deployment of a stage. */
import { annotation, HTTP_PORT, path, type StreamPipeline } from "@caudal/crds";
import { type KubeObject, resources } from "../kube/object.ts";
import { resourcesOf } from "./container-resources.ts";
import { ownedMetadata } from "./metadata.ts";
import { childName, configMapName, labelsOf, selectorOf, type SecretUse, type StageSpec } from "@caudal/pipeline";
import type { WorkloadSettings } from "./plan.ts";

/** Numeric, so that Kubernetes can tell that it is not root; the image's own user. */
const USER = 65532;
/** A stage commits what it has begun, then leaves. */
const GRACE_SECONDS = 60;
/** Batches pass through files here. */
const TMP_SIZE = "1Gi";
/** Where configuration and secrets are mounted, in one volume. */
const FOLDER = path.config.slice(0, path.config.lastIndexOf("/"));

export interface DeploymentInput {
  /** Names the ConfigMap. */
  readonly content: string;
  /** Changes when the pods must be replaced. */
  readonly hash: string;
  readonly uses: readonly SecretUse[];
  readonly settings: WorkloadSettings;
}

export function buildDeployment(pipeline: StreamPipeline, stage: StageSpec, input: DeploymentInput): KubeObject {
  const name = childName(pipeline.metadata.name, stage.name);
  const { template = {} } = stage;
  // The selected labels come last: a template's labels never take them away.
  const labels = { ...template.labels, ...labelsOf(pipeline.metadata.name, stage) };
  return {
    apiVersion: resources.deployment.apiVersion,
    kind: resources.deployment.kind,
    metadata: ownedMetadata(pipeline, name, stage),
    spec: {
      replicas: pipeline.spec.suspend ? 0 : stage.replicas,
      revisionHistoryLimit: 2,
      progressDeadlineSeconds: 600,
      selector: { matchLabels: selectorOf(pipeline.metadata.name, stage) },
      strategy: { type: "RollingUpdate", rollingUpdate: surgeOf(stage) },
      template: {
        metadata: { labels, annotations: { ...template.annotations, [annotation.configHash]: input.hash } },
        spec: buildPodSpec(pipeline, stage, input),
      },
    },
  };
}

/** The hash that a Deployment gives its pods. */
export function configHashOf(deployment: KubeObject | undefined): string | undefined {
  const template = deployment?.spec?.["template"] as
    { metadata?: { annotations?: Record<string, string> } } | undefined;
  return template?.metadata?.annotations?.[annotation.configHash];
}

/**
 * A replacement may stand beside it; two generators of one number would write the same events, and of two sources one
 * waits for the other.
 */
function surgeOf(stage: StageSpec): Record<string, number> {
  return stage.role === "generator" || stage.role === "source"
    ? { maxSurge: 0, maxUnavailable: 1 }
    : { maxSurge: 1, maxUnavailable: 0 };
}

function buildPodSpec(pipeline: StreamPipeline, stage: StageSpec, input: DeploymentInput): Record<string, unknown> {
  const { template = {} } = stage;
  const { settings } = input;
  const pullSecrets = [...settings.imagePullSecrets, ...(template.imagePullSecrets ?? []).map(({ name }) => name)];
  return {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: GRACE_SECONDS,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: USER,
      runAsGroup: USER,
      fsGroup: USER,
      seccompProfile: { type: "RuntimeDefault" },
    },
    ...(pullSecrets.length === 0 ? {} : { imagePullSecrets: [...new Set(pullSecrets)].map((name) => ({ name })) }),
    ...optional("nodeSelector", template.nodeSelector),
    ...optional("tolerations", template.tolerations),
    ...optional("affinity", template.affinity),
    ...optional("topologySpreadConstraints", template.topologySpreadConstraints),
    containers: [buildContainer(pipeline, stage, input)],
    volumes: [
      { name: "config", projected: { defaultMode: 0o440, sources: buildSources(pipeline, stage, input) } },
      { name: "tmp", emptyDir: { sizeLimit: TMP_SIZE } },
      ...separate(input.uses).map(({ use, volume }) => ({
        name: volume,
        secret: {
          secretName: use.name,
          defaultMode: 0o440,
          ...(use.whole === true ? {} : { items: use.keys.map((key) => ({ key, path: key })) }),
        },
      })),
      ...claimsOf(stage).map((claim, index) => ({
        name: `files-${index}`,
        persistentVolumeClaim: { claimName: claim },
      })),
    ],
  };
}

/** Secrets whose folder is a volume of its own. */
function separate(uses: readonly SecretUse[]): { readonly use: SecretUse; readonly volume: string }[] {
  return uses.filter(isSeparate).map((use) => ({ use, volume: use.folder.slice(use.folder.lastIndexOf("/") + 1) }));
}

function isSeparate({ folder }: SecretUse): boolean {
  return !folder.startsWith(`${FOLDER}/`);
}

/** Volumes that the stage writes files to, sorted. */
function claimsOf(stage: StageSpec): string[] {
  const outputs = stage.role === "transform" ? stage.to : [];
  return [...new Set(outputs.flatMap(({ files }) => files?.claimRef?.name ?? []))].sort();
}

/** The configuration and, in folders beside it, the keys of secrets that this stage reads. */
function buildSources(pipeline: StreamPipeline, stage: StageSpec, { content, uses }: DeploymentInput): unknown[] {
  const file = path.config.slice(FOLDER.length + 1);
  const name = configMapName(pipeline.metadata.name, stage.name, content);
  return [
    { configMap: { name, items: [{ key: file, path: file }] } },
    ...uses
      .filter((use) => !isSeparate(use))
      .flatMap(({ name: secret, keys, optional = [], folder }) => {
        const items = (list: readonly string[]) =>
          list.map((key) => ({ key, path: `${folder.slice(FOLDER.length + 1)}/${key}` }));
        return [
          { secret: { name: secret, items: items(keys) } },
          ...(optional.length === 0 ? [] : [{ secret: { name: secret, items: items(optional), optional: true } }]),
        ];
      }),
  ];
}

function buildContainer(pipeline: StreamPipeline, stage: StageSpec, input: DeploymentInput): Record<string, unknown> {
  const { settings } = input;
  const probe = (url: string, rest: Record<string, number>) => ({ httpGet: { path: url, port: "http" }, ...rest });
  return {
    name: "stage",
    image: settings.image,
    imagePullPolicy: settings.imagePullPolicy,
    args: [stage.role],
    env: buildEnv(pipeline, stage, settings),
    ports: [{ name: "http", containerPort: HTTP_PORT, protocol: "TCP" }],
    resources: resourcesOf(stage.resources),
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    },
    startupProbe: probe("/livez", { periodSeconds: 2, timeoutSeconds: 2, failureThreshold: 60 }),
    livenessProbe: probe("/livez", { periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 }),
    readinessProbe: probe("/readyz", { periodSeconds: 5, timeoutSeconds: 3, failureThreshold: 3 }),
    volumeMounts: [
      { name: "config", mountPath: FOLDER, readOnly: true },
      { name: "tmp", mountPath: "/tmp" },
      ...separate(input.uses).map(({ use, volume }) => ({ name: volume, mountPath: use.folder, readOnly: true })),
      ...claimsOf(stage).map((claim, index) => ({ name: `files-${index}`, mountPath: path.volume(claim) })),
    ],
  };
}

interface EnvVar {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: unknown;
}

/** The template's variables win. */
function buildEnv(pipeline: StreamPipeline, stage: StageSpec, settings: WorkloadSettings): EnvVar[] {
  const field = (name: string, fieldPath: string): EnvVar => ({
    name,
    valueFrom: { fieldRef: { apiVersion: "v1", fieldPath } },
  });
  const own: EnvVar[] = [
    field("POD_NAME", "metadata.name"),
    field("POD_NAMESPACE", "metadata.namespace"),
    { name: "OTEL_SERVICE_NAME", value: `caudal-${stage.role}` },
    {
      name: "OTEL_RESOURCE_ATTRIBUTES",
      value: `caudal.pipeline=${pipeline.metadata.name},caudal.stage=${stage.name}`,
    },
    ...Object.entries(settings.env).map(([name, value]) => ({ name, value })),
  ];
  const given = stage.template?.env ?? [];
  const names = new Set(given.map(({ name }) => name));
  return [...own.filter(({ name }) => !names.has(name)), ...given];
}

/** The field, unless there is nothing to say: the API server drops empty ones. */
function optional(name: string, value: object | undefined): Record<string, unknown> {
  return value === undefined || Object.keys(value).length === 0 ? {} : { [name]: value };
}
