import { expect, test } from "vitest";
import type { PipelineStatus, StreamPipeline } from "@caudal/crds";
import type { KubeClient } from "../kube/client.ts";
import { Conflict } from "../kube/errors.ts";
import { givenPipeline } from "@caudal/pipeline/testing";
import { StatusWriter } from "./status.ts";

const stage = { name: "s", role: "aggregator", state: "Running", replicas: 1, readyReplicas: 1 };
const status = (lag: string, stagesReady = "1/1"): PipelineStatus => ({
  lag,
  stagesReady,
  stages: [{ ...stage, lag }],
});

function writer() {
  const patches: unknown[] = [];
  const client = {
    patch: async (_resource: unknown, _at: unknown, patch: unknown) => {
      patches.push(patch);
      return patch;
    },
  } as unknown as KubeClient;
  return { writer: new StatusWriter(client), patches };
}
const pipeline = (before?: PipelineStatus): StreamPipeline => ({
  ...givenPipeline(),
  ...(before && { status: before }),
});

test("a pipeline that somebody labels meanwhile gets its status all the same, and one that has changed does not", async () => {
  const live = pipeline(status("0"));
  const versions: unknown[] = [];
  let conflicts = 1;
  const client = {
    get: async () => ({ ...live, metadata: { ...live.metadata, resourceVersion: "8" } }),
    patch: async (_resource: unknown, _at: unknown, patch: { metadata: { resourceVersion: string } }) => {
      versions.push(patch.metadata.resourceVersion);
      if (conflicts-- > 0) throw new Conflict("409");
      return patch;
    },
  } as unknown as KubeClient;
  const statusWriter = new StatusWriter(client);
  await statusWriter.write(live, status("0", "0/1"), 0);
  expect(versions).toEqual(["7", "8"]);
  conflicts = 1;
  const older = { ...live, metadata: { ...live.metadata, generation: live.metadata.generation - 1 } };
  await expect(statusWriter.write(older, status("0", "0/1"), 0)).rejects.toBeInstanceOf(Conflict);
  conflicts = 2;
  await expect(statusWriter.write(live, status("0", "0/1"), 0)).rejects.toBeInstanceOf(Conflict);
});

test("a status that is as it was is not written", async () => {
  const { writer: statusWriter, patches } = writer();
  expect(await statusWriter.write(pipeline(status("0")), status("0"), 0)).toEqual({});
  expect(patches).toEqual([]);
});

test("a lag alone is written at most every 30 seconds; anything else at once", async () => {
  const { writer: statusWriter, patches } = writer();
  await statusWriter.write(pipeline(), status("0"), 100_000);
  expect(await statusWriter.write(pipeline(status("0")), status("<1k"), 110_000)).toEqual({ laterMs: 20_000 });
  expect(patches).toHaveLength(1);
  await statusWriter.write(pipeline(status("0")), status("<1k", "0/1"), 110_000);
  await statusWriter.write(pipeline(status("<1k")), status("<10k"), 140_000);
  expect(patches).toHaveLength(3);
});

test("what is measured of a replication slot waits as a lag does, and that it is lost does not", async () => {
  const { writer: statusWriter, patches } = writer();
  const slot = (wal: string, retained: string): PipelineStatus => ({
    stages: [{ ...stage, slot: { wal, retained, behind: "<16Mi" } }],
  });
  await statusWriter.write(pipeline(), slot("reserved", "<16Mi"), 100_000);
  const more = slot("reserved", "<64Mi");
  expect(await statusWriter.write(pipeline(slot("reserved", "<16Mi")), more, 110_000)).toEqual({ laterMs: 20_000 });
  await statusWriter.write(pipeline(slot("reserved", "<16Mi")), slot("lost", "<16Mi"), 110_000);
  expect(patches).toHaveLength(2);
});

test("what is gone is removed, and the write names the version that was observed", async () => {
  const { writer: statusWriter, patches } = writer();
  await statusWriter.write(pipeline({ ...status("0"), released: [{ kind: "KafkaTopic", name: "t" }] }), status("0"), 0);
  expect(patches[0]).toMatchObject({ metadata: { uid: "u1", resourceVersion: "7" }, status: { released: null } });
});

test("where topics end waits longer than a lag, and that a topic is another one does not wait", async () => {
  const { writer: statusWriter, patches } = writer();
  const topics = (id: string, ...ends: number[]): PipelineStatus => ({ topics: [{ name: "t", id, ends }] });
  await statusWriter.write(pipeline(), topics("a", 10, 10), 100_000);
  const before = pipeline(topics("a", 10, 10));
  expect(await statusWriter.write(before, topics("a", 20, 30), 160_000)).toEqual({ laterMs: 540_000 });
  await statusWriter.write(before, topics("b", 0, 0), 160_000);
  await statusWriter.write(pipeline(topics("b", 0, 0)), topics("b", 20, 30), 760_000);
  expect(patches).toHaveLength(3);
});

test("other words alone are written six times a minute, and a changed state at once", async () => {
  const { writer: statusWriter, patches } = writer();
  const said = (message: string, state = "Running"): PipelineStatus => ({ stages: [{ ...stage, state, message }] });
  for (let time = 0; time < 20; time++)
    await statusWriter.write(pipeline(said("before")), said(`now ${time}`), 1_000 * time);
  expect(patches).toHaveLength(6);
  expect(await statusWriter.write(pipeline(said("before")), said("again"), 30_000)).toEqual({ laterMs: 30_000 });
  await statusWriter.write(pipeline(said("before")), said("failed", "Failed"), 30_000);
  expect(patches).toHaveLength(7);
  await statusWriter.write(pipeline(said("before")), said("later"), 61_000);
  expect(patches).toHaveLength(8);
});
