import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";

test("no field is called by a word that kubectl and helm read as true or false (YAML 1.1: on, off, yes, no, y, n)", () => {
  const text = readFileSync(join(import.meta.dirname, "../generated/streampipelines.caudal.dev.yaml"), "utf8");
  expect(parse(text, { version: "1.1" })).toEqual(parse(text));
});
