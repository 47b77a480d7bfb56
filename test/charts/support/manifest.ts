/** The parts of Kubernetes objects that the chart's tests look at. */

export interface Container {
  name: string;
  image: string;
  imagePullPolicy: string;
  env?: { name: string; value?: string }[];
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> };
  securityContext?: {
    allowPrivilegeEscalation?: boolean;
    readOnlyRootFilesystem?: boolean;
    capabilities?: { drop?: string[] };
  };
  volumeMounts?: { name: string; mountPath: string }[];
}

export interface PodSpec {
  containers: Container[];
  securityContext?: { runAsNonRoot?: boolean; runAsUser?: number; seccompProfile?: { type: string } };
  volumes?: Record<string, unknown>[];
  topologySpreadConstraints?: unknown[];
  priorityClassName?: string;
  nodeSelector?: Record<string, string>;
  tolerations?: unknown[];
}

export interface PodTemplate {
  metadata: { labels: Record<string, string>; annotations?: Record<string, string> };
  spec: PodSpec;
}

export interface Rule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
  resourceNames?: string[];
}

export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  spec?: Record<string, unknown>;
  rules?: Rule[];
  data?: Record<string, string>;
}

/** The one object of a kind (and name); none or several is an error that says what there was. */
export function only(manifests: readonly Manifest[], kind: string, name?: string): Manifest {
  const found = manifests.filter((one) => one.kind === kind && (name === undefined || one.metadata.name === name));
  const [first] = found;
  if (first !== undefined && found.length === 1) return first;
  const seen = manifests.map((one) => `${one.kind}/${one.metadata.name}`).join(", ");
  throw new Error(`${found.length} of ${kind}${name === undefined ? "" : `/${name}`} in ${seen}`);
}

/** Every pod that the objects ask for, by the object's name. */
export function podTemplates(manifests: readonly Manifest[]): [string, PodTemplate][] {
  return manifests.flatMap((one): [string, PodTemplate][] => {
    const name = `${one.kind}/${one.metadata.name}`;
    if (one.kind === "Pod") return [[name, one as unknown as PodTemplate]];
    const template = one.spec?.["template"];
    return template === undefined ? [] : [[name, template as PodTemplate]];
  });
}

/** The operator's container. */
export function operatorContainer(manifests: readonly Manifest[]): Container {
  const template = podTemplates(manifests.filter(({ kind }) => kind === "Deployment"))[0]?.[1];
  const container = template?.spec.containers[0];
  if (container === undefined) throw new Error("there is no Deployment with a container");
  return container;
}

/** The value of a container's environment variable, or undefined. */
export function envOf(container: Container, name: string): string | undefined {
  return container.env?.find((one) => one.name === name)?.value;
}
