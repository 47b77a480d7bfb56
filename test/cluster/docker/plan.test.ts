import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { planCluster, planImages, planOperators, planRemoval } from "./plan.ts";

const name = "caudal-1234";
const image = { repository: "localhost/caudal/operator", tag: "abc", context: "operator" };
const lines = (commands: readonly { program: string; args: readonly string[] }[]): string[] =>
  commands.map(({ program, args }) => [program, ...args].join(" "));

describe("the plan for Docker", () => {
  it("creates the cluster where there is none, with its own kubeconfig", () => {
    const [create = ""] = lines(planCluster(name, "/repo/.cluster/kubeconfig", { clusters: [""], loaded: [] }));
    expect(create).toMatch(
      /^kind create cluster --name caudal-1234 --kubeconfig \/repo\/\.cluster\/kubeconfig --config /,
    );
  });

  it("keeps the cluster that is there, and fetches its kubeconfig again", () => {
    expect(lines(planCluster(name, "/k", { clusters: ["other", name], loaded: [] }))).toEqual([
      "kind export kubeconfig --name caudal-1234 --kubeconfig /k",
    ]);
  });

  it("builds and loads an image that the node has not got", () => {
    expect(lines(planImages(name, [image], { clusters: [name], loaded: ["localhost/caudal/operator:old"] }))).toEqual([
      "docker build --quiet --tag localhost/caudal/operator:abc --tag localhost/caudal/operator:dev operator",
      "kind load docker-image --name caudal-1234 localhost/caudal/operator:abc localhost/caudal/operator:dev",
    ]);
  });

  it("does nothing for an image that the node has in that content", () => {
    expect(planImages(name, [image], { clusters: [name], loaded: ["localhost/caudal/operator:abc"] })).toEqual([]);
  });

  it("installs both operators by their own charts, and waits for them", () => {
    const commands = lines(planOperators());
    expect(commands).toHaveLength(2);
    for (const command of commands) expect(command).toMatch(/^helm upgrade --install .* --wait --timeout 10m$/);
    expect(commands[0]).toContain("strimzi-kafka-operator --repo https://strimzi.io/charts/");
    expect(commands[1]).toContain("cloudnative-pg --repo https://cloudnative-pg.github.io/charts");
  });

  it("deletes only a cluster that exists", () => {
    expect(planRemoval(name, { clusters: ["other"], loaded: [] })).toEqual([]);
    expect(lines(planRemoval(name, { clusters: [name], loaded: [] }))).toEqual([
      "kind delete cluster --name caudal-1234",
    ]);
  });
});

describe("kind.yaml", () => {
  it("is a configuration that kind reads, with a node to run on", () => {
    const config = parse(readFileSync(join(import.meta.dirname, "kind.yaml"), "utf8")) as Record<string, unknown>;
    expect(config).toEqual({
      kind: "Cluster",
      apiVersion: "kind.x-k8s.io/v1alpha4",
      nodes: [{ role: "control-plane" }],
    });
  });
});
