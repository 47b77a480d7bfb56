import { describe, expect, test } from "vitest";
import { givenPipeline } from "@caudal/pipeline/testing";
import { buildDeployment } from "./deployment.ts";
import { stagesOf } from "@caudal/pipeline";
import { resourcesOf } from "./container-resources.ts";

const settings = { image: "image:1", imagePullPolicy: "Never", imagePullSecrets: ["a"], env: { OTEL_X: "1" } };
const uses = [{ name: "db", keys: ["host", "password"], folder: "/etc/caudal/database" }];

interface PodSpec {
  containers: { args: string[]; env: { name: string; value?: string }[]; securityContext: object; resources: object }[];
  volumes: { name: string; projected?: { sources: unknown[] } }[];
  imagePullSecrets: unknown;
  automountServiceAccountToken: boolean;
  securityContext: object;
}

function build(stageName: string, change?: Parameters<typeof givenPipeline>[0]) {
  const pipeline = givenPipeline(change);
  const stage = stagesOf(pipeline).find(({ name }) => name === stageName);
  if (stage === undefined) throw new TypeError(`no stage ${stageName}`);
  const { spec } = buildDeployment(pipeline, stage, { content: "0123456789", hash: "h", uses, settings });
  const { template, ...rest } = spec as { template: { metadata: object; spec: PodSpec } } & Record<string, unknown>;
  const [container] = template.spec.containers;
  if (container === undefined) throw new TypeError("no container");
  return { ...rest, metadata: template.metadata, pod: template.spec, container } as Record<string, unknown> & {
    pod: PodSpec;
    container: PodSpec["containers"][number];
  };
}

test("a pod has the rights of the restricted profile and no token", () => {
  const { pod, container } = build("metrics");
  expect(pod.automountServiceAccountToken).toBe(false);
  expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } });
  expect(container.securityContext).toEqual({
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
  });
});

test("it mounts its configuration and, of secrets, only the keys that it uses", () => {
  const { pod } = build("metrics");
  expect(pod.volumes.find(({ name }) => name === "config")?.projected?.sources).toEqual([
    {
      configMap: { name: "app-events-metrics-e93271d6-01234567", items: [{ key: "config.json", path: "config.json" }] },
    },
    {
      secret: {
        name: "db",
        items: [
          { key: "host", path: "database/host" },
          { key: "password", path: "database/password" },
        ],
      },
    },
  ]);
});

test("suspended it wants no pods, whatever its replicas", () => {
  const suspended = build("metrics", (spec) => {
    spec.suspend = true;
    for (const stage of spec.aggregators ?? []) stage.replicas = 5;
  });
  expect(suspended["replicas"]).toBe(0);
});

test("a generator never runs beside its replacement; an aggregator does, so that no event waits", () => {
  expect(build("events")["strategy"]).toMatchObject({ rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } });
  expect(build("metrics")["strategy"]).toMatchObject({ rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } });
});

describe("a template", () => {
  const templated = build("metrics", (spec) => {
    for (const stage of spec.aggregators ?? [])
      stage.template = {
        labels: { team: "data", "caudal.dev/stage": "other" },
        annotations: { "caudal.dev/config-hash": "mine" },
        env: [{ name: "OTEL_SERVICE_NAME", value: "mine" }],
        imagePullSecrets: [{ name: "a" }, { name: "b" }],
        tolerations: [],
      };
  });

  test("adds to the pods, and never takes away what selects or rolls them", () => {
    expect(templated["metadata"]).toMatchObject({
      labels: { team: "data", "caudal.dev/stage": "metrics" },
      annotations: { "caudal.dev/config-hash": "h" },
    });
  });

  test("wins over the operator's variables, each name once", () => {
    const names = templated.container.env.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(templated.container.env.find(({ name }) => name === "OTEL_SERVICE_NAME")?.value).toBe("mine");
    expect(names).toContain("OTEL_X");
  });

  test("joins its pull secrets to the operator's, and leaves out what is empty", () => {
    expect(templated.pod.imagePullSecrets).toEqual([{ name: "a" }, { name: "b" }]);
    expect(templated.pod).not.toHaveProperty("tolerations");
  });
});

test.each([
  [undefined, { requests: { cpu: "50m", memory: "256Mi" }, limits: { memory: "1Gi" } }],
  [{ requests: {} }, { requests: { cpu: "50m", memory: "256Mi" }, limits: { memory: "1Gi" } }],
  [{ limits: { cpu: "1" } }, { limits: { cpu: "1", memory: "1Gi" } }],
  [{ requests: { memory: "300Mi" } }, { requests: { memory: "300Mi" }, limits: { memory: "1Gi" } }],
  [{ requests: { memory: "3Gi" } }, { requests: { memory: "3Gi" }, limits: { memory: "3Gi" } }],
  [{ limits: { memory: "512Mi" } }, { limits: { memory: "512Mi" } }],
])("whatever resources it is given, it has a limit of memory: %o", (given, expected) => {
  expect(resourcesOf(given)).toEqual(expected);
  if (given === undefined) expect(build("metrics").container.resources).toEqual(expected);
});
