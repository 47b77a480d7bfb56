import { expect, test } from "vitest";
import type { KubeObject } from "../kube/object.ts";
import { applyInOrder } from "./in-order.ts";

const object = (kind: string, name: string): KubeObject => ({
  apiVersion: "v1",
  kind,
  metadata: { name, namespace: "ns" },
});
const plan = [
  "KafkaTopic",
  "ConfigMap",
  "ConfigMap",
  "Service",
  "Service",
  "Deployment",
  "Deployment",
  "PodMonitor",
].map((kind, index) => object(kind, `o${index}`));

/** Writes that end when the test says so. */
function scene() {
  const open = new Map<string, { end: () => void; fail: (error: Error) => void }>();
  const result = applyInOrder(plan, async ({ kind, metadata: { name } }) => {
    await new Promise<void>((resolve, reject) => open.set(`${kind}/${name}`, { end: resolve, fail: reject }));
    return name;
  });
  const step = async () => await new Promise(setImmediate);
  const endAll = async () => {
    for (const [title, { end }] of open) {
      open.delete(title);
      end();
    }
    await step();
  };
  return { open, result, step, endAll };
}

test("Deployments are written when all that they need is there; results come in the plan's order", async () => {
  const { open, result, endAll } = scene();
  expect(open.size).toBe(4);
  await endAll();
  expect([...open.keys()]).toEqual(["Service/o4", "PodMonitor/o7"]);
  await endAll();
  expect([...open.keys()]).toEqual(["Deployment/o5", "Deployment/o6"]);
  await endAll();
  expect(await result).toEqual(plan.map(({ metadata }) => metadata.name));
});

test("after one that throws nothing more is begun, and what was begun has ended", async () => {
  const { open, result, step, endAll } = scene();
  const caught = result.then(
    () => undefined,
    (error: unknown) => error,
  );
  open.get("ConfigMap/o1")?.fail(new TypeError("unreachable"));
  open.delete("ConfigMap/o1");
  await step();
  await endAll();
  expect(open.size).toBe(0);
  expect(await caught).toMatchObject({ message: "unreachable" });
});
