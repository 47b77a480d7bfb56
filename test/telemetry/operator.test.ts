/** Traces of the operator, on a real API server. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { stringify } from "yaml";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kubectl } from "../charts/support/helm.ts";
import { repository } from "../cluster/host/paths.ts";
import { poll } from "../cluster/host/poll.ts";
import { type ApiServer, startApiServer } from "../cluster/index.ts";
import { type Collector, startCollector } from "./collector.ts";

let api: ApiServer;
let collector: Collector;
let stop: () => Promise<number | null> = () => Promise.resolve(null);
let said = "";

beforeAll(async () => {
  [api, collector] = await Promise.all([startApiServer(), startCollector()]);
  const kube = async (...args: string[]): Promise<string> => await kubectl(api.kubeconfigPath, args);
  await kube(
    "apply",
    "--server-side",
    "--filename",
    join(repository, "crds/generated/streampipelines.caudal.dev.yaml"),
  );
  await api.definitionsServed();
  await kubectl(api.kubeconfigPath, ["apply", "--filename=-"], stringify(pipeline));
  const child = spawn(process.execPath, [join(repository, "operator/src/main.ts")], {
    env: {
      ...process.env,
      KUBECONFIG: api.kubeconfigPath,
      HTTP_PORT: "0",
      WORKLOAD_IMAGE: "caudal/workloads:test",
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_BSP_SCHEDULE_DELAY: "100",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      said = (said + chunk).slice(-20_000);
    });
  const withUs = (): void => void child.kill("SIGKILL");
  process.once("exit", withUs);
  const exited = once(child, "exit") as Promise<[number | null]>;
  stop = async () => {
    process.off("exit", withUs);
    child.kill("SIGTERM");
    return (await exited)[0];
  };
});
afterAll(async () => {
  await stop();
  await Promise.all([api.stop(), collector.stop()]);
});

describe("the operator", () => {
  it("sends a span for each reconcile, and ends in order when it is asked to", async () => {
    const span = await poll(() => Promise.resolve(collector.spans.find(({ name }) => name.startsWith("reconcile"))), {
      seconds: 120,
      onTimeout: () => `no span came: ${collector.spans.map(({ name }) => name).join(", ")}\n${said}`,
    });
    expect(span.resource["service.name"]).toBe("caudal-operator");
    expect(span.durationNs).toBeGreaterThan(0n);
    expect(await stop()).toBe(0);
  });
});

const pipeline = {
  apiVersion: "caudal.dev/v1alpha1",
  kind: "StreamPipeline",
  metadata: { name: "traced", namespace: "default" },
  spec: {
    kafka: { clusterRef: { name: "platform" } },
    topics: [{ name: "clicks", fields: [{ name: "id", type: "uuid" }] }],
    generators: [{ name: "events", topic: "clicks", interval: "5s", count: 1 }],
  },
};
