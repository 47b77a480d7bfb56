/** What the conditions are made from: all that one reconcile observed, decided and did. */
import type { StageSummary } from "@caudal/crds";
import { type Problem, childName, type StageSpec } from "@caudal/pipeline";
import type { KubeObject } from "../kube/object.ts";
import type { Observation } from "../observe/observation.ts";
import { failsFor, type Finding } from "./condition.ts";
import type { Held } from "../plan/plan.ts";

/** A planned object that could not be written. */
export interface Failure {
  readonly kind: string;
  readonly name: string;
  readonly reason: string;
  readonly message: string;
}

export interface Facts {
  readonly observation: Observation;
  readonly problems: readonly Problem[];
  /** What could not be checked, and why; the pipeline goes on as it was. */
  readonly unchecked?: Problem | undefined;
  /** What the outputs of transforms get, by the stage's name, as far as their SQL was checked. */
  readonly columns?: ReadonlyMap<string, readonly NonNullable<StageSummary["columns"]>[number][]> | undefined;
  readonly held: readonly Held[];
  /** The children as they are now: planned ones after they were written, or what exists where nothing is planned. */
  readonly children: readonly KubeObject[];
  readonly failures: readonly Failure[];
  /** What the deletion of the pipeline waits for, where it is being deleted. */
  readonly deleting?: string | undefined;
}

export function childrenOf(facts: Facts, ...kinds: readonly string[]): KubeObject[] {
  return facts.children.filter(({ kind }) => kinds.includes(kind));
}

export function failuresOf(facts: Facts, ...kinds: readonly string[]): Failure[] {
  return facts.failures.filter(({ kind }) => kinds.includes(kind));
}

export function deploymentOf(facts: Facts, stage: StageSpec): KubeObject | undefined {
  const name = childName(facts.observation.pipeline.metadata.name, stage.name);
  return facts.children.find(({ kind, metadata }) => kind === "Deployment" && metadata.name === name);
}

/** That something the spec asks for is not there: it is not ready, however ready all else is. */
export function missingOf(facts: Facts, wanted: readonly KubeObject[]): Finding | undefined {
  const there = new Set(facts.children.map(({ kind, metadata }) => `${kind}/${metadata.name}`));
  const missing = wanted.filter(({ kind, metadata }) => !there.has(`${kind}/${metadata.name}`));
  const [first] = missing;
  if (first === undefined) return undefined;
  const refused = facts.problems.length > 0 ? ": nothing is made while the spec is refused" : " yet";
  const why = facts.deleting === undefined ? refused : ": the pipeline is being deleted";
  return failsFor(
    missing.map(({ kind, metadata }) => ({
      reason: `${first.kind}Missing`,
      message: `${kind}/${metadata.name} does not exist${why}`,
    })),
  );
}
