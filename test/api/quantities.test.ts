/** An object that says what is there already is not written: whatever form its quantities have, the API server is asked. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { contains } from "../../operator/src/apply/equal.ts";
import { type KubeObject, pathOf, resources } from "../../operator/src/kube/object.ts";
import { TestServer } from "./support/server.ts";

let server: TestServer;
let namespace: string;
beforeAll(async () => {
  server = TestServer.shared();
  namespace = await server.namespace();
});
afterAll(async () => await server.stop());

const forms: readonly (string | number)[] = [
  ...["0.0001", "0.5", ".5", "5.", "0.1234567", "1", "1000m", "1500m", "1e3", "1E3", "1e-3", "1e-4", "+1", "0", "0.0"],
  ...["100u", "1n", "1500u", "0.1n", "1k", "1.5k", "2M", "1.5Gi", "1024Mi", "0.5Mi", "0.1Ki", "1Ti", "1024Gi", "8Ei"],
  ...["100E", "1000000000001", "9223372036854775807", "9223372036854775808", "123456789.123456789", "1048576Ki"],
  ...[1, 2, 1024],
];

it("whatever the form, what was applied is found again, and something else is not", async () => {
  const containers = forms.map((form, index) => ({
    name: `c${index}`,
    image: "x",
    resources: { limits: { memory: form, cpu: form }, requests: { memory: form, cpu: form } },
    env: [{ name: "EMPTY", value: "" }],
  }));
  const volumes = forms.map((form, index) => ({ name: `v${index}`, emptyDir: { sizeLimit: form } }));
  const wanted: KubeObject = {
    ...{ apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "forms", namespace } },
    spec: {
      selector: { matchLabels: { app: "forms" } },
      template: { metadata: { labels: { app: "forms" } }, spec: { containers, volumes } },
    },
  };
  await server.client.apply(wanted);
  const { body } = await server.raw("GET", pathOf(resources.deployment, namespace, "forms"));
  const live = (body["spec"] as { template: { spec: Record<"containers" | "volumes", readonly unknown[]> } }).template
    .spec;
  for (const [index, form] of forms.entries()) {
    const said = [form, JSON.stringify(live.containers[index]), JSON.stringify(live.volumes[index])];
    expect([...said, contains(live.containers[index], containers[index])]).toEqual([...said, true]);
    expect([...said, contains(live.volumes[index], volumes[index])]).toEqual([...said, true]);
    const more = { limits: { memory: "7777777m" } };
    expect(contains(live.containers[index], { resources: more })).toBe(false);
  }
});
