/** Writes what is generated from the schema, or with --check fails when that differs from what is committed. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { stringify } from "yaml";
import { customResourceDefinition } from "./crd.ts";
import { reference } from "./reference.ts";
import { StageStatus } from "./stage-status.ts";
import { WorkloadConfig } from "./workload-config.ts";

const root = join(import.meta.dirname, "..", "..");
const notice = "# Generated from crds/src/schema by `npm run generate`; do not edit.\n";
const crd = notice + stringify(customResourceDefinition(), { lineWidth: 0, aliasDuplicateObjects: false });
const json = (schema: unknown) =>
  `${JSON.stringify(schema, (key, value: unknown) => (key.startsWith("~") ? undefined : value), 2)}\n`;

const outputs: Record<string, string> = {
  "crds/generated/streampipelines.caudal.dev.yaml": crd,
  "charts/caudal/files/streampipelines.caudal.dev.yaml": crd,
  "docs/reference.md": reference(),
  "crds/generated/workload-config.schema.json": json(WorkloadConfig),
  "crds/generated/stage-status.schema.json": json(StageStatus),
};

const check = process.argv.includes("--check");
let stale = 0;
for (const [name, content] of Object.entries(outputs)) {
  const file = join(root, name);
  if (check) {
    if (readFileSync(file, "utf8") === content) continue;
    console.error(`${name} is not what crds/src/schema gives: run \`npm run generate\` and commit the result`);
    stale++;
  } else {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    console.log(`wrote ${name}`);
  }
}
process.exitCode = stale === 0 ? 0 : 1;
