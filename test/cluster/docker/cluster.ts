/** Carries out the plan: kind, the images by Docker, the operators by their charts. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { helmBinary, kindBinary, kubernetesBinaries, linkForPeople } from "../host/binaries.ts";
import { onHost } from "../host/packages.ts";
import { helmPath, kubectlPath } from "../host/kubectl.ts";
import { clusterDir, clusterId, kubeconfigPath } from "../host/paths.ts";
import { type Progress } from "../host/progress.ts";
import { run, succeeds } from "../host/run.ts";
import { isBuilt, ownImages, ownTag, type OwnImage } from "../images/catalogue.ts";
import { images } from "../images/names.ts";
import {
  kindName,
  planCluster,
  planImages,
  planOperators,
  planRemoval,
  type Command,
  type DockerState,
  type OwnImageSource,
} from "./plan.ts";

const name = kindName(clusterId);

/** Whether there is a Docker to ask. */
export async function dockerAnswers(): Promise<boolean> {
  return await succeeds("docker", ["version", "--format", "{{.Server.Version}}"]);
}

async function observe(): Promise<DockerState> {
  const clusters = (await run(await kindBinary(), ["get", "clusters"])).trim().split("\n");
  if (!clusters.includes(name)) return { clusters, loaded: [] };
  const node = ["exec", `${name}-control-plane`, "ctr", "--namespace", "k8s.io", "images", "ls", "-q"];
  return { clusters, loaded: (await run("docker", node)).trim().split("\n") };
}

async function carryOut(progress: Progress, commands: readonly Command[]): Promise<void> {
  const programs = { kind: await kindBinary(), docker: "docker", helm: helmPath, kubectl: kubectlPath };
  for (const { title, program, args } of commands) {
    await progress.step(title, async () => await run(programs[program], args, { env: { KUBECONFIG: kubeconfigPath } }));
  }
}

function sources(): readonly OwnImageSource[] {
  const keys: readonly OwnImage[] = ["operator", "workloads"];
  return keys.filter(isBuilt).map((key) => {
    return { repository: images[key].repository, tag: ownTag(key, "docker"), context: ownImages[key] };
  });
}

/** Makes everything that is missing, as on the native cluster; the operators are the real ones. */
export async function dockerUp(progress: Progress): Promise<readonly OwnImageSource[]> {
  await mkdir(clusterDir, { recursive: true });
  await progress.step("building kind", kindBinary);
  const helm = await progress.step("building helm", helmBinary);
  const kubectl = onHost("kubectl") ?? (await progress.step("building kubectl", kubernetesBinaries)).kubectl;
  await linkForPeople(join(clusterDir, "bin"), { kubectl, helm });
  await carryOut(progress, planCluster(name, kubeconfigPath, await observe()));
  await carryOut(progress, planOperators());
  return await dockerLoad(progress);
}

export async function dockerLoad(progress: Progress): Promise<readonly OwnImageSource[]> {
  const built = sources();
  await carryOut(progress, planImages(name, built, await observe()));
  return built;
}

export async function dockerDown(progress: Progress): Promise<void> {
  await carryOut(progress, planRemoval(name, await observe()));
}

/** Whether this checkout has a kind cluster. */
export async function dockerRuns(): Promise<boolean> {
  return (await observe()).clusters.includes(name);
}
