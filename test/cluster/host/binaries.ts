/** The programs of the cluster, built from Go modules once and kept in the cache. */
import { mkdir, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { cached, contentKey, filesBelow } from "./cache.ts";
import { ToolMissing } from "./errors.ts";
import { run, succeeds } from "./run.ts";

const goSources = join(import.meta.dirname, "../native/go");
const kubernetesVersion = "v1.34.4";
const helmVersion = "v3.22.0";
/** The minor version of Kubernetes whose packages that helm is built with: what it says where it sees no cluster. */
const helmKubernetesMinor = 37;
const kindVersion = "v0.30.0";
const versitygwVersion = "v1.8.0";
const buildFlags = ["-trimpath", "-ldflags"];

/** The names that the one Kubernetes binary answers to. */
const components = [
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kube-proxy",
  "kubelet",
  "kubectl",
] as const;
export type Component = (typeof components)[number];

async function requireGo(): Promise<void> {
  if (await succeeds("go", ["version"])) return;
  throw new ToolMissing(
    "Go is not in PATH: install Go 1.24 or later (it fetches the exact version it needs by itself)",
  );
}

async function build(module: string, ldflags: string, output: string): Promise<void> {
  await requireGo();
  await run("go", ["build", ...buildFlags, `-s -w ${ldflags}`, "-o", output, "."], {
    cwd: join(goSources, module),
    env: { CGO_ENABLED: "0", GOFLAGS: "-buildvcs=false" },
  });
}

/** Paths of etcd, kubectl and every Kubernetes component; built if missing (about 4 minutes on 2 cores). */
export async function kubernetesBinaries(): Promise<Readonly<Record<Component, string>>> {
  const sources = join(goSources, "kubernetes");
  const key = contentKey([kubernetesVersion, process.arch], goSources, filesBelow(sources));
  const folder = await cached("kubernetes", key, async (unfinished) => {
    const version = `-X k8s.io/component-base/version.gitVersion=${kubernetesVersion}`;
    await build("kubernetes", version, join(unfinished, "kubernetes"));
    await Promise.all(components.map((name) => symlink("kubernetes", join(unfinished, name))));
  });
  return Object.fromEntries(components.map((name) => [name, join(folder, name)])) as Record<Component, string>;
}

export interface StaticProgram {
  readonly path: string;
  /** Hash of its sources. */
  readonly key: string;
}

/** One of the small programs that pods run: each is a Go module of its own. */
export async function staticProgram(name: "pause" | "coredns"): Promise<StaticProgram> {
  const key = contentKey([process.arch], goSources, filesBelow(join(goSources, name)));
  const folder = await cached(name, key, async (unfinished) => {
    await build(name, "", join(unfinished, name));
  });
  return { path: join(folder, name), key };
}

/** A program that is a Go module in itself, at a pinned version. @param variables `package.name=value`, set by the linker */
async function installed(name: string, module: string, version: string, variables: string[] = []): Promise<string> {
  const folder = await cached(name, contentKey([version, process.arch, ...variables]), async (unfinished) => {
    await requireGo();
    const ldflags = ["-s -w", ...variables.map((variable) => `-X ${variable}`)].join(" ");
    await run("go", ["install", ...buildFlags, ldflags, `${module}@${version}`], {
      env: { CGO_ENABLED: "0", GOFLAGS: "-buildvcs=false", GOBIN: unfinished },
    });
  });
  return join(folder, name);
}

/** Path of the pinned helm; built if missing (about a minute). */
export async function helmBinary(): Promise<string> {
  const helm = "helm.sh/helm/v3";
  return await installed("helm", `${helm}/cmd/helm`, helmVersion, [
    `${helm}/internal/version.version=${helmVersion}`,
    ...["lint/rules", "chartutil"].flatMap((name) => [
      `${helm}/pkg/${name}.k8sVersionMajor=1`,
      `${helm}/pkg/${name}.k8sVersionMinor=${helmKubernetesMinor}`,
    ]),
  ]);
}

/** Path of the pinned versitygw, a small S3 server over a folder; built if missing (some 3 minutes). */
export async function s3ServerBinary(): Promise<string> {
  return await installed("versitygw", "github.com/versity/versitygw/cmd/versitygw", versitygwVersion);
}

/** Path of the pinned kind; built if missing. */
export async function kindBinary(): Promise<string> {
  return await installed("kind", "sigs.k8s.io/kind", kindVersion);
}

/** Puts links to kubectl and helm, for people, into a folder. */
export async function linkForPeople(folder: string, programs: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, target] of Object.entries(programs)) {
    await rm(join(folder, name), { force: true });
    await symlink(target, join(folder, name));
  }
}
