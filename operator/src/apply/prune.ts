/** What we own and no longer plan: stateless children are deleted, what holds data is released. Pure choices. */
import { annotation, label, type StreamPipeline } from "@caudal/crds";
import type { KubeObject } from "../kube/object.ts";
import { mountedConfigMap } from "../plan/config-map.ts";
import type { Plan } from "../plan/plan.ts";
import { type Slot, slotOfConfigMap, slotsOf } from "../plan/slots.ts";
import { hasRolledOut } from "../status/readiness.ts";
import { holdsData } from "../plan/kinds.ts";
import { isAdopted } from "./ownership.ts";

export interface Surplus {
  readonly remove: readonly KubeObject[];
  /** ConfigMaps of which each is the record of a slot that no stage uses any more: the slot goes first. */
  readonly slots: readonly { readonly slot: Slot; readonly record: KubeObject }[];
  readonly release: readonly KubeObject[];
}

export const NOTHING: Surplus = { remove: [], slots: [], release: [] };

/** @param stagesWithPods stages of which pods are there: they may still use what their ConfigMap says */
export function surplusOf(
  pipeline: StreamPipeline,
  plan: Plan,
  children: ReadonlyMap<string, KubeObject>,
  stagesWithPods: ReadonlySet<string>,
): Surplus {
  const planned = new Set(plan.objects.map((object) => `${object.kind}/${object.metadata.name}`));
  const held = new Set(plan.held.map(({ stage }) => stage.name));
  const extra = [...children]
    .filter(([key, object]) => !planned.has(key) && object.metadata.deletionTimestamp === undefined)
    .filter(([, object]) => !plan.undecided.has(object.kind))
    .map(([, object]) => object)
    .filter((object) => isOwned(object, pipeline));
  const inUse = mountedByOldPods(children);
  const remove = extra.filter(
    (object) =>
      !holdsData(object) &&
      !isAdopted(object) &&
      !held.has(object.metadata.labels?.[label.stage] ?? "") &&
      !(object.kind === "ConfigMap" && inUse.has(stageOf(object))),
  );
  const used = new Set(slotsOf(pipeline).map(({ name }) => name));
  const slots = remove.flatMap((record) => {
    const slot = slotOfConfigMap(record);
    return slot === undefined || used.has(slot.name) ? [] : [{ slot, record }];
  });
  return {
    remove: remove.filter((object) => !slots.some(({ record }) => record === object)),
    slots: slots.filter(({ record }) => !stagesWithPods.has(stageOf(record))),
    release: extra.filter((object) => holdsData(object) && object.metadata.labels?.[label.released] !== "true"),
  };
}

function isOwned({ metadata }: KubeObject, pipeline: StreamPipeline): boolean {
  const owners = metadata.ownerReferences ?? [];
  const owner = owners.find(({ controller }) => controller === true)?.uid ?? metadata.annotations?.[annotation.owner];
  return owner === pipeline.metadata.uid;
}

/** Stages whose Deployment has not finished rolling: its old pods may still need their ConfigMap. */
function mountedByOldPods(children: ReadonlyMap<string, KubeObject>): Set<string> {
  const deployments = [...children.values()].filter(
    (object) => object.kind === "Deployment" && mountedConfigMap(object) !== undefined,
  );
  return new Set(deployments.filter((object) => !hasRolledOut(object)).map(stageOf));
}

function stageOf(object: KubeObject): string {
  return object.metadata.labels?.[label.stage] ?? "";
}
