/** skaffold.yaml, which runs where there is Docker: that it is valid, and that what it names exists. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Errors } from "typebox/schema";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { repository } from "../cluster/host/paths.ts";
import { type ChartName, render } from "./support/helm.ts";
import { envOf, operatorContainer } from "./support/manifest.ts";
import { skaffoldSchema } from "./support/skaffold-schema.ts";

interface Release {
  name: string;
  namespace: string;
  chartPath?: string;
  remoteChart?: string;
  repo?: string;
  dependsOn?: string[];
  setValues?: Record<string, unknown>;
  setValueTemplates?: Record<string, string>;
}
interface Skaffold {
  apiVersion: string;
  build: { artifacts: { image: string; custom: { buildCommand: string; dependencies: { paths: string[] } } }[] };
  deploy: { helm: { releases: Release[] } };
  portForward: { resourceName: string; namespace: string; port: number }[];
  profiles: { name: string; patches: { path: string; value: unknown }[] }[];
}

const text = readFileSync(join(repository, "skaffold.yaml"), "utf8");
const skaffold = parse(text) as Skaffold;
const { releases } = skaffold.deploy.helm;
const inRepository = (path: string): boolean => existsSync(join(repository, path));
const found = await skaffoldSchema(skaffold.apiVersion);
if ("missing" in found) console.log(`test/charts: skaffold.yaml is not checked against its schema: ${found.missing}`);

describe("skaffold.yaml", () => {
  it.skipIf("missing" in found)("is what skaffold's own schema asks for", () => {
    const { schema } = found as { schema: object };
    const messages = (value: unknown): unknown[] => Errors(schema, value)[1];
    expect(messages(skaffold)).toEqual([]);
    expect(messages({ ...skaffold, deploys: {} })).not.toEqual([]);
    expect(messages({ ...skaffold, build: { artifacts: [{ picture: "x" }] } })).not.toEqual([]);
  });

  it("builds both images from files that exist, and watches what they are made from", () => {
    expect(skaffold.build.artifacts.map(({ image }) => image).sort()).toEqual(["caudal/operator", "caudal/workloads"]);
    for (const { image, custom } of skaffold.build.artifacts) {
      const member = image.replace("caudal/", "");
      expect(custom.buildCommand).toBe(`npm run build && docker build --tag "$IMAGE" ${member}`);
      expect(custom.dependencies.paths).toEqual(expect.arrayContaining([`${member}/src`, `${member}/Dockerfile`, "crds/src"]));
      expect(custom.dependencies.paths.filter((path) => !inRepository(path))).toEqual([]);
    }
    const { scripts } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8")) as {
      scripts: Record<string, string>;
    };
    expect(scripts).toHaveProperty("build");
  });

  it("installs our charts from their folders and the others from their repositories, in order", () => {
    const names = releases.map(({ name }) => name);
    expect(names).toEqual(["strimzi", "cnpg", "platform", "caudal"]);
    for (const { name, chartPath, remoteChart, repo, dependsOn = [] } of releases) {
      if (chartPath === undefined) {
        expect(remoteChart).toBeTruthy();
        expect(repo).toMatch(/^https:/);
      } else {
        expect(chartPath).toBe(`charts/${name}`);
        expect(inRepository(`${chartPath}/Chart.yaml`)).toBe(true);
      }
      const before = names.slice(0, names.indexOf(name));
      expect(before).toEqual(expect.arrayContaining(dependsOn));
    }
  });

  it("gives the chart the images that it builds, with a tag or, when pushed, a digest", async () => {
    const templates = releases.find(({ name }) => name === "caudal")?.setValueTemplates ?? {};
    const set = (values: Readonly<Record<string, string>>): string[] =>
      Object.entries(templates).map(([key, template]) => {
        const value = template.replace(/\{\{\.([A-Za-z_]+)\}\}/g, (_, name: string) => values[name] ?? `no ${name}`);
        return `${key}=${value}`;
      });
    const local = {
      IMAGE_REPO_caudal_operator: "caudal/operator",
      IMAGE_TAG_caudal_operator: "abc",
      IMAGE_DIGEST_caudal_operator: "",
      IMAGE_REPO_caudal_workloads: "caudal/workloads",
      IMAGE_TAG_caudal_workloads: "def",
      IMAGE_DIGEST_caudal_workloads: "",
    };
    const built = operatorContainer(await render("caudal", { set: set(local) }));
    expect(built.image).toBe("caudal/operator:abc");
    expect(envOf(built, "WORKLOAD_IMAGE")).toBe("caudal/workloads:def");
    const digest = `sha256:${"0".repeat(64)}`;
    const pushed = { ...local, IMAGE_DIGEST_caudal_operator: digest, IMAGE_DIGEST_caudal_workloads: digest };
    expect(operatorContainer(await render("caudal", { set: set(pushed) })).image).toBe(`caudal/operator@${digest}`);
  });

  it("sets no value that our charts do not have, and forwards a port that the operator has", async () => {
    for (const { name, setValues = {} } of releases.filter(({ chartPath }) => chartPath !== undefined)) {
      const set = Object.entries(setValues).map(([key, value]) => `${key}=${String(value)}`);
      await expect(render(name as ChartName, { set })).resolves.not.toEqual([]);
    }
    const [forward] = skaffold.portForward;
    const namespace = releases.find(({ name }) => name === "caudal")?.namespace ?? "";
    const service = (await render("caudal", { namespace })).find(({ kind }) => kind === "Service");
    expect(forward).toMatchObject({ resourceName: service?.metadata.name, namespace });
    expect(service?.spec).toMatchObject({ ports: [{ port: forward?.port }] });
  });

  it("has profiles whose patches name places and files that exist", async () => {
    const patches = skaffold.profiles.flatMap((profile) => profile.patches);
    expect(skaffold.profiles.map(({ name }) => name)).toEqual(["app-events", "ha"]);
    const files = JSON.stringify(patches).match(/examples\/[a-z-]+\/[a-z-]+\.yaml/g) ?? [];
    expect(files).toHaveLength(1);
    expect(files.filter((path) => !inRepository(path))).toEqual([]);
    const ha = patches.find(({ path }) => path === "/deploy/helm/releases/3/setValues");
    expect(releases[3]?.name).toBe("caudal");
    expect(ha?.value).toEqual({ replicas: 2 });
    expect((await render("caudal", { set: ["replicas=2"] })).map(({ kind }) => kind)).toContain("PodDisruptionBudget");
  });
});
