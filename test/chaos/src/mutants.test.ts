import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { applyEdit, mutants } from "./mutants.ts";

const sources = join(import.meta.dirname, "../../../workloads/src");
const edits = Object.entries(mutants).flatMap(([name, list]) => list.map((edit) => ({ name, edit })));

it.each(edits)("the guard that mutant $name takes out is in $edit.file once", ({ edit }) => {
  const source = readFileSync(join(sources, edit.file), "utf8");
  expect(applyEdit(source, edit)).not.toBe(source);
});
