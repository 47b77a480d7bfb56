/**
 * Refuses import cycles, imports that point against the way of the house, and imports past a member's doors:
 * crds ← pipeline ← workloads ← operator, cli, and nobody imports from test/.
 */
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";

const root = join(import.meta.dirname, "..");
const files = globSync("{crds,pipeline,workloads,operator,cli}/src/**/*.ts", { cwd: root });
/** Which members a member may import from. */
const allowed: Record<string, string[]> = {
  crds: ["crds"],
  pipeline: ["pipeline", "crds"],
  workloads: ["workloads", "pipeline", "crds"],
  operator: ["operator", "workloads", "pipeline", "crds"],
  cli: ["cli", "workloads", "pipeline", "crds"],
};
const problems: string[] = [];
const edges = new Map<string, string[]>();

for (const file of files) {
  const text = readFileSync(join(root, file), "utf8");
  const targets: string[] = [];
  for (const [, typeOnly, specifier] of text.matchAll(/^(?:import|export)\s+(type\s)?[^"';]*?from\s+"([^"]+)"/gms)) {
    if (specifier === undefined) continue;
    const member = file.split("/")[0] ?? "";
    const scoped = /^@caudal\/([a-z]+)/.exec(specifier)?.[1];
    if (specifier.startsWith(".") && !normalize(join(dirname(file), specifier)).startsWith(`${member}/`))
      problems.push(`${file} imports ${specifier}: another member is imported by its package, @caudal/…`);
    const target = specifier.startsWith(".") ? normalize(join(dirname(file), specifier)) : undefined;
    const into = scoped ?? target?.split("/")[0];
    if (into !== undefined && !(allowed[member] ?? []).includes(into))
      problems.push(`${file} imports ${specifier}: ${member} may not import from ${into}`);
    if (target !== undefined && typeOnly === undefined) targets.push(target);
  }
  edges.set(file, targets);
}

const state = new Map<string, "open" | "done">();
function visit(file: string, path: readonly string[]): void {
  if (state.get(file) === "done") return;
  if (state.get(file) === "open") {
    problems.push(
      `import cycle: ${[...path.slice(path.indexOf(file)), file].map((name) => relative(".", name)).join(" → ")}`,
    );
    return;
  }
  state.set(file, "open");
  for (const next of edges.get(file) ?? []) visit(next, [...path, file]);
  state.set(file, "done");
}
for (const file of files) visit(file, []);

for (const problem of problems) console.error(problem);
console.log(`check-imports: ${files.length} files, ${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
