/** The cluster by Docker, as a list of commands: pure, so that it can be tested where there is no Docker. */
import { join } from "node:path";

/** A command with its arguments; `title` is what people read while it runs. */
export interface Command {
  readonly title: string;
  readonly program: "kind" | "docker" | "helm" | "kubectl";
  readonly args: readonly string[];
}

export interface OwnImageSource {
  readonly repository: string;
  readonly tag: string;
  /** Folder with the Dockerfile. */
  readonly context: string;
}

export interface DockerState {
  /** Names of the clusters that `kind get clusters` prints. */
  readonly clusters: readonly string[];
  /** Images (repository:tag) that the node has. */
  readonly loaded: readonly string[];
}

/** What kind's cluster of a checkout is called. */
export function kindName(clusterId: string): string {
  return `caudal-${clusterId}`;
}

const operators = [
  {
    release: "strimzi",
    namespace: "strimzi-system",
    args: [
      "strimzi-kafka-operator",
      "--repo",
      "https://strimzi.io/charts/",
      "--version",
      ">=1.2.0 <2",
      "--set",
      "watchAnyNamespace=true",
    ],
  },
  {
    release: "cnpg",
    namespace: "cnpg-system",
    args: ["cloudnative-pg", "--repo", "https://cloudnative-pg.github.io/charts"],
  },
] as const;

export function planCluster(name: string, kubeconfig: string, state: DockerState): readonly Command[] {
  const same = ["--name", name, "--kubeconfig", kubeconfig];
  if (state.clusters.includes(name))
    return [{ title: "asking kind for its kubeconfig", program: "kind", args: ["export", "kubeconfig", ...same] }];
  const config = ["--config", join(import.meta.dirname, "kind.yaml"), "--wait", "180s"];
  return [{ title: "creating a kind cluster", program: "kind", args: ["create", "cluster", ...same, ...config] }];
}

/** Builds and loads the images that the node has not got yet, in that very content. */
export function planImages(name: string, images: readonly OwnImageSource[], state: DockerState): readonly Command[] {
  return images
    .map((image) => ({ ...image, reference: `${image.repository}:${image.tag}` }))
    .filter(({ reference }) => !state.loaded.includes(reference))
    .flatMap(({ repository, reference, context }): readonly Command[] => [
      {
        title: `building ${reference}`,
        program: "docker",
        args: ["build", "--quiet", "--tag", reference, "--tag", `${repository}:dev`, context],
      },
      {
        title: `loading ${reference}`,
        program: "kind",
        args: ["load", "docker-image", "--name", name, reference, `${repository}:dev`],
      },
    ]);
}

/** Strimzi and CloudNativePG themselves, by their own charts. */
export function planOperators(): readonly Command[] {
  return operators.map(({ release, namespace, args }) => ({
    title: `installing ${release}`,
    program: "helm",
    args: [
      ...["upgrade", "--install", release, ...args, "--namespace", namespace, "--create-namespace"],
      ...["--wait", "--timeout", "10m"],
    ],
  }));
}

export function planRemoval(name: string, state: DockerState): readonly Command[] {
  if (!state.clusters.includes(name)) return [];
  return [{ title: "deleting the kind cluster", program: "kind", args: ["delete", "cluster", "--name", name] }];
}
