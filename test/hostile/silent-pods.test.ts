/** 2,000 pods of one tenant that take a question and never answer: another tenant's pod is asked as if they were not there. */
import { createServer } from "node:http";
import { createServer as createTcpServer, type Socket } from "node:net";
import { once } from "node:events";
import { pino } from "pino";
import { expect, test } from "vitest";
import type { KubeObject } from "../../operator/src/kube/object.ts";
import { askUrl } from "../../operator/src/observe/ask-stage.ts";
import { StagePoller } from "../../operator/src/observe/stages.ts";
import { eventually } from "../api/support/eventually.ts";
import { healthyStage } from "../api/support/world.ts";

const pod = (namespace: string, name: string): KubeObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace, uid: `${namespace}/${name}`, labels: { "caudal.dev/pipeline": "p" } },
  status: { phase: "Running", podIP: "127.0.0.1" },
});

test("silent pods hold eight connections at most, and cost another namespace no turn", async () => {
  const sockets = new Set<Socket>();
  const open = { now: 0, most: 0 };
  const silent = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
    socket.resume();
  });
  const honest = createServer((_request, response) => response.end(JSON.stringify(healthyStage())));
  for (const one of [silent, honest]) {
    one.listen(0, "127.0.0.1");
    await once(one, "listening");
  }
  const urlOf = (one: typeof silent | typeof honest) =>
    `http://127.0.0.1:${(one.address() as { port: number }).port}/status`;
  const pods = [
    ...Array.from({ length: 2_000 }, (_, index) => pod("mallory", `silent-${index}`)),
    pod("alice", "honest"),
  ];
  const asked = { mallory: 0, alice: 0 };
  const poller = new StagePoller({
    pods: () => pods,
    ask: async ({ metadata: { namespace } }) => {
      asked[namespace as keyof typeof asked]++;
      if (namespace === "alice") return await askUrl(urlOf(honest));
      open.most = Math.max(open.most, ++open.now);
      return await askUrl(urlOf(silent)).finally(() => open.now--);
    },
    onChange: () => undefined,
    onAsked: () => undefined,
    log: pino({ level: "silent" }),
    everyMs: 50,
  });
  poller.start();
  await eventually("the honest pod has been asked fifty times", () => asked.alice >= 50);
  expect(poller.of(pod("alice", "honest"))?.answer?.value.state).toBe("Running");
  // A turn of eight that are silent takes two seconds.
  expect(asked.mallory).toBeLessThan(asked.alice * 8);
  expect(open.most).toBe(8);
  await poller.stop();
  for (const socket of sockets) socket.destroy();
  for (const one of [silent, honest]) one.close();
});
