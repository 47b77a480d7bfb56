import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { honouredCluster, honouredDatabase, honouredRole } from "./cnpg/core/validate.ts";
import type { Honoured } from "./core/honoured.ts";
import { honouredKafka, honouredNodePool, honouredUser } from "./strimzi/core/validate.ts";

interface Schema {
  properties?: Record<string, Schema>;
  items?: Schema;
}
interface Definition {
  metadata: { name: string };
  spec: { versions: { name: string; schema: { openAPIV3Schema: Schema } }[] };
}

function definitions(file: string): Definition[] {
  return parseAllDocuments(readFileSync(file, "utf8")).map((document) => document.toJS() as Definition);
}

/** The paths of honoured fields that a schema does not know. */
function unknownTo(schema: Schema | undefined, honoured: Honoured, path: string): string[] {
  if (schema === undefined) return [path];
  if (honoured === true) return [];
  const fields = schema.properties ?? schema.items?.properties;
  return Object.entries(honoured).flatMap(([field, below]) => unknownTo(fields?.[field], below, `${path}.${field}`));
}

const own = ["crds-strimzi.yaml", "crds-cnpg.yaml"].flatMap((file) =>
  definitions(join(import.meta.dirname, "manifests", file)),
);
const kinds: [string, Honoured, string][] = [
  ["kafkas.kafka.strimzi.io", honouredKafka, "strimzi-kafka.yaml"],
  ["kafkanodepools.kafka.strimzi.io", honouredNodePool, "strimzi-kafkanodepool.yaml"],
  [
    "kafkatopics.kafka.strimzi.io",
    { topicName: true, partitions: true, replicas: true, config: true },
    "strimzi-kafkatopic.yaml",
  ],
  ["kafkausers.kafka.strimzi.io", honouredUser, "strimzi-kafkauser.yaml"],
  ["clusters.postgresql.cnpg.io", honouredCluster, "cnpg-clusters.yaml"],
  ["databases.postgresql.cnpg.io", honouredDatabase, "cnpg-databases.yaml"],
  ["databaseroles.postgresql.cnpg.io", honouredRole, "cnpg-databaseroles.yaml"],
];

function specOf(definition: Definition | undefined): Schema | undefined {
  return definition?.spec.versions.find(({ name }) => name === "v1")?.schema.openAPIV3Schema.properties?.["spec"];
}

test("there is a definition for each resource and no other", () => {
  expect(own.map(({ metadata }) => metadata.name).sort()).toEqual(kinds.map(([name]) => name).sort());
});

const vendorFolder = process.env["VENDOR_CRDS"];

describe.skipIf(vendorFolder === undefined)("beside the real definitions (VENDOR_CRDS)", () => {
  test.each(kinds)("every honoured field of %s is one of the real resource", (name, honoured, file) => {
    const real = definitions(join(vendorFolder ?? "", file)).find(({ metadata }) => metadata.name === name);
    expect(unknownTo(specOf(real), honoured, "spec")).toEqual([]);
  });
});

test.each(kinds)("the definition of %s types what is honoured, as far as it says", (name, honoured) => {
  const schema = specOf(own.find(({ metadata }) => metadata.name === name));
  const fields = honoured === true ? [] : Object.keys(honoured);
  expect(fields.filter((field) => schema?.properties?.[field] === undefined)).toEqual([]);
});
