import { describe, expect, it } from "vitest";
import { planVolumes, type Claim, type Volume } from "./volume-plan.ts";

const node = "n1";
const folder = "/v";
const onNode = { "volume.kubernetes.io/selected-node": node };
const claim = (metadata: Partial<Claim["metadata"]>, spec: Partial<Claim["spec"]> = {}): Claim => ({
  metadata: { name: "data", namespace: "ns", uid: "u1", annotations: onNode, ...metadata },
  spec: { storageClassName: "standard", resources: { requests: { storage: "5Gi" } }, ...spec },
});
const volume = (phase: string, change: Partial<Volume> = {}): Volume => ({
  metadata: { name: "pvc-u1", annotations: { "pv.kubernetes.io/provisioned-by": "caudal.dev/local-folder" } },
  spec: { persistentVolumeReclaimPolicy: "Delete", local: { path: "/v/ns_data_u1" } },
  status: { phase },
  ...change,
});

describe("planVolumes", () => {
  it("makes a folder of its own for a claim whose pod has found its node", () => {
    const { make } = planVolumes([claim({})], [], node, folder);
    expect(make).toHaveLength(1);
    expect(make[0]?.metadata.name).toBe("pvc-u1");
    expect(make[0]?.spec).toMatchObject({
      capacity: { storage: "5Gi" },
      claimRef: { namespace: "ns", name: "data", uid: "u1" },
      local: { path: "/v/ns_data_u1" },
    });
  });

  it.each<[string, Claim]>([
    ["no pod wants yet", claim({ annotations: {} })],
    ["is for another node", claim({ annotations: { "volume.kubernetes.io/selected-node": "n2" } })],
    ["is of another class", claim({}, { storageClassName: "fast" })],
    ["is bound", claim({}, { volumeName: "pvc-u1" })],
    ["is being deleted", claim({ deletionTimestamp: "2026-01-01T00:00:00Z" })],
    ["wants a block device", claim({}, { volumeMode: "Block" })],
  ])("makes nothing for a claim that %s", (_, one) => {
    expect(planVolumes([one], [], node, folder).make).toEqual([]);
  });

  it("makes no second volume while the first is being bound", () => {
    expect(planVolumes([claim({})], [volume("Available")], node, folder).make).toEqual([]);
  });

  it("removes what was released, and only what it made and may delete", () => {
    const kept = volume("Released", { spec: { persistentVolumeReclaimPolicy: "Retain" } });
    const foreign = volume("Released", { metadata: { name: "nfs" } });
    const plan = planVolumes([], [volume("Released"), volume("Bound"), kept, foreign], node, folder);
    expect(plan.remove).toEqual([volume("Released")]);
  });
});
