/** What charts/platform renders to, and that Strimzi's own definitions accept it. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ApiServer, startApiServer } from "../cluster/index.ts";
import { chartFolder, helm, kubectl, render, valueArgs } from "./support/helm.ts";
import { only } from "./support/manifest.ts";

const scram = ["kafka.scram.enabled=true", "kafka.scram.tls=false"];
const large = [
  "name=big",
  "kafka.replicas=5",
  "kafka.version=4.3.0",
  "kafka.storage.class=fast",
  "kafka.config.log\\.retention\\.ms=604800000",
  "kafka.config.min\\.insync\\.replicas=1",
  "metrics.enabled=true",
];
const cases: [string, string[]][] = [
  ["the defaults", []],
  ["a listener with logins", scram],
  ["five nodes", large],
];

describe.each(cases)("charts/platform with %s", (_, set) => {
  it("passes helm lint --strict", async () => {
    const output = await helm(["lint", "--strict", chartFolder("platform"), ...valueArgs({ set })]);
    expect(output).toContain("0 chart(s) failed");
  });
});

describe("charts/platform", () => {
  it("makes one node that is controller and broker, whose topics have one replica", async () => {
    const manifests = await render("platform");
    expect(manifests.map(({ kind, metadata }) => `${kind}/${metadata.name}`).sort()).toEqual([
      "Kafka/platform",
      "KafkaNodePool/dual-role",
    ]);
    const pool = only(manifests, "KafkaNodePool");
    expect(pool.metadata.labels).toMatchObject({ "strimzi.io/cluster": "platform" });
    expect(pool.spec).toMatchObject({
      replicas: 1,
      roles: ["controller", "broker"],
      storage: { type: "jbod", volumes: [{ id: 0, type: "persistent-claim", kraftMetadata: "shared" }] },
    });
    expect(only(manifests, "Kafka").spec).toMatchObject({
      kafka: {
        listeners: [{ name: "plain", port: 9092, type: "internal", tls: false }],
        config: {
          "default.replication.factor": 1,
          "min.insync.replicas": 1,
          "offsets.topic.replication.factor": 1,
          "transaction.state.log.replication.factor": 1,
          "transaction.state.log.min.isr": 1,
        },
      },
    });
  });

  it("replicates to three of many nodes, and lets the values' settings win", async () => {
    const kafka = only(await render("platform", { set: large }), "Kafka");
    expect(kafka.metadata.name).toBe("big");
    expect(kafka.spec).toMatchObject({
      kafka: {
        version: "4.3.0",
        config: {
          "default.replication.factor": 3,
          "min.insync.replicas": 1,
          "transaction.state.log.min.isr": 2,
          "log.retention.ms": 604_800_000,
        },
      },
    });
  });

  it("writes large numbers as Kafka reads them, not as floats", async () => {
    const text = await helm(["template", "test", chartFolder("platform"), ...valueArgs({ values: ["large-numbers"] })]);
    expect(text).toContain("log.retention.ms: 604800000\n");
    expect(text).toContain("log.cleaner.min.cleanable.ratio: 0.3\n");
    expect(text).toContain('compression.type: "zstd"\n');
  });

  it("authorizes by ACLs once there are logins", async () => {
    const kafka = only(await render("platform", { set: scram }), "Kafka");
    expect(kafka.spec).toMatchObject({
      kafka: {
        listeners: [{ name: "plain" }, { name: "scram", tls: false, authentication: { type: "scram-sha-512" } }],
        authorization: { type: "simple", superUsers: ["ANONYMOUS"] },
      },
    });
  });
});

const vendorCrds = process.env["VENDOR_CRDS"];
if (vendorCrds === undefined) {
  console.log("test/charts: VENDOR_CRDS is not set: charts/platform is not checked against Strimzi's definitions");
}

describe.skipIf(vendorCrds === undefined)("on an API server with Strimzi's own definitions", () => {
  let api: ApiServer;
  beforeAll(async () => {
    api = await startApiServer();
    const folder = vendorCrds ?? "";
    const files = (await readdir(folder)).filter((name) => name.startsWith("strimzi-"));
    expect(files.length).toBeGreaterThan(3);
    const names = files.flatMap((name) => ["--filename", join(folder, name)]);
    await kubectl(api.kubeconfigPath, ["apply", "--server-side", ...names]);
    await api.definitionsServed();
  });
  afterAll(async () => await api.stop());

  it.each(cases)("everything is accepted with %s", async (_, set) => {
    const manifests = await render("platform", { set, namespace: "default" });
    const applied = await kubectl(
      api.kubeconfigPath,
      ["apply", "--server-side", "--dry-run=server", "--namespace=default", "--output=name", "--filename=-"],
      manifests.map((manifest) => stringify(manifest)).join("---\n"),
    );
    expect(applied.trim().split("\n")).toHaveLength(manifests.length);
  });

  it("what Strimzi does not know is refused, so the check can fail", async () => {
    const kafka = only(await render("platform"), "Kafka");
    const wrong = { ...kafka, spec: { ...kafka.spec, zookeeper: {} } };
    await expect(
      kubectl(api.kubeconfigPath, ["apply", "--server-side", "--dry-run=server", "--filename=-"], stringify(wrong)),
    ).rejects.toThrow(/zookeeper/);
  });
});
