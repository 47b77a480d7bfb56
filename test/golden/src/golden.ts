/**
 * Plans printed so that a person can review them: each folder has a pipeline, what was observed, and the plan.
 *
 *   node test/golden/src/golden.ts --check    fails on a difference
 *   UPDATE_GOLDEN=1 node test/golden/src/golden.ts
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { type StreamPipeline, withDefaults } from "@caudal/crds";
import type { KubeObject } from "../../../operator/src/kube/object.ts";
import type { Installed, Observation, SecretObservation } from "../../../operator/src/observe/observation.ts";
import { plan, type WorkloadSettings } from "../../../operator/src/plan/plan.ts";

const folder = join(import.meta.dirname, "..");
const example = join(folder, "../../examples/app-events/pipeline.yaml");
const notice = "# Made by `UPDATE_GOLDEN=1 node test/golden/src/golden.ts`; review it like code.\n";

const settings: WorkloadSettings = {
  image: "ghcr.io/caudal/workloads:0.1.0",
  imagePullPolicy: "IfNotPresent",
  imagePullSecrets: [],
  env: {},
};

/** What a case's observed.yaml may say; the rest is as on a new cluster with everything installed. */
interface Observed {
  readonly installed?: Partial<Installed>;
  readonly settings?: Partial<WorkloadSettings>;
  readonly kafka?: KubeObject;
  /** Keys that each Secret has. */
  readonly secrets?: Readonly<Record<string, readonly string[]>>;
}

export interface Golden {
  readonly name: string;
  readonly file: string;
  readonly expected: string | undefined;
  readonly actual: string;
}

export function goldens(): Golden[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(folder, entry.name, "observed.yaml")))
    .map(({ name }) => {
      const file = join(folder, name, "plan.yaml");
      return { name, file, actual: render(name), expected: existsSync(file) ? readFileSync(file, "utf8") : undefined };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function render(name: string): string {
  const own = join(folder, name, "pipeline.yaml");
  const given = parse(readFileSync(existsSync(own) ? own : example, "utf8")) as StreamPipeline;
  const metadata = {
    ...given.metadata,
    namespace: "default",
    uid: "00000000-0000-0000-0000-000000000001",
    generation: 3,
    resourceVersion: "1",
  };
  const observed = parse(readFileSync(join(folder, name, "observed.yaml"), "utf8")) as Observed;
  const secrets = Object.entries(observed.secrets ?? {}).map(([secret, keys]): [string, SecretObservation] => [
    secret,
    { name: secret, exists: true, keys: Object.fromEntries(keys.map((key) => [key, `hmac of ${key}`])) },
  ]);
  const observation: Observation = {
    now: 0,
    clock: 0,
    unseen: [],
    pipeline: withDefaults({ ...given, metadata }),
    installed: { strimzi: true, cloudNativePg: true, podMonitors: false, ...observed.installed },
    kafka: observed.kafka,
    sharedDatabaseCluster: undefined,
    databaseCluster: undefined,
    secrets: new Map(secrets),
    children: new Map(),
    pods: [],
    claims: new Map(),
  };
  const { objects, held } = plan(observation, { ...settings, ...observed.settings });
  const documents = [...objects, ...held.map((entry) => ({ held: entry }))];
  const options = { lineWidth: 0, aliasDuplicateObjects: false };
  return notice + documents.map((document) => `---\n${stringify(document, options)}`).join("");
}

if (import.meta.main) {
  const update = process.env["UPDATE_GOLDEN"] === "1";
  for (const { name, file, actual, expected } of goldens()) {
    if (actual === expected) continue;
    if (update) {
      writeFileSync(file, actual);
      console.log(`wrote ${name}/plan.yaml`);
    } else {
      console.error(`test/golden/${name}/plan.yaml is not what the plan is: update it with UPDATE_GOLDEN=1 and review`);
      process.exitCode = 1;
    }
  }
}
