/** A release of charts/platform on a cluster that runs, in a namespace of its own: a Kafka that serves, and then is gone. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { get, kubeconfig, kubectl, list, until } from "../e2e/support/kube.ts";
import { chartFolder, helm } from "./support/helm.ts";

const namespace = "platform-chart-test";
const release = "test";
const run = async (...args: string[]): Promise<string> => await helm([...args, "--namespace", namespace], kubeconfig);
const ready = async (): Promise<string> =>
  await kubectl(["-n", namespace, "wait", `kafka/${release}`, "--for=condition=Ready", "--timeout=240s"], "", 250_000);
const remove = async (): Promise<void> => {
  await run("uninstall", release, "--ignore-not-found");
  await kubectl(["delete", "namespace", namespace, "--ignore-not-found", "--timeout=180s"], "", 200_000);
};

beforeAll(async () => {
  await remove();
  await run("install", release, chartFolder("platform"), "--create-namespace", "--set", "kafka.storage.size=1Gi");
  await ready();
});
afterAll(remove);

describe("a development Kafka on a cluster", () => {
  it("gets ready with the listener that pipelines use by default", async () => {
    const kafka = await get("kafka", release, namespace);
    expect(kafka?.status?.["listeners"]).toMatchObject([{ name: "plain", addresses: [{ port: 9092 }] }]);
  });

  it("takes and lists topics", async () => {
    const topics = async (...args: string[]): Promise<string> =>
      await kubectl([
        ...["-n", namespace, "exec", `${release}-dual-role-0`, "--"],
        ...["/opt/kafka/bin/kafka-topics.sh", "--bootstrap-server", "localhost:9092", ...args],
      ]);
    await topics("--create", "--topic", "greetings", "--partitions", "2");
    expect((await topics("--list")).split("\n")).toContain("greetings");
  });

  it("upgrades to logins beside the listener that is there", async () => {
    const set = ["--reuse-values", "--set", "kafka.scram.enabled=true", "--set", "kafka.scram.tls=false"];
    await run("upgrade", release, chartFolder("platform"), ...set);
    const names = await until("both listeners are served", 240, async () => {
      await ready();
      const { metadata, status } = (await get("kafka", release, namespace)) ?? {};
      const listeners = status?.["listeners"] as { name: string }[] | undefined;
      return status?.["observedGeneration"] === metadata?.generation && listeners?.map(({ name }) => name);
    });
    expect([...names].sort()).toEqual(["plain", "scram"]);
  });

  it("is uninstalled with its pods and volumes", async () => {
    await run("uninstall", release);
    await until("no pod and no volume claim is left", 240, async () => {
      const left = [...(await list("pods", "", namespace)), ...(await list("persistentvolumeclaims", "", namespace))];
      return left.length === 0;
    });
    expect(await list("kafkas.kafka.strimzi.io,kafkanodepools.kafka.strimzi.io", "", namespace)).toEqual([]);
  });
});
