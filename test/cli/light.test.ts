/** What a command loads when it starts: a light one leaves out what is heavy. */
import { join } from "node:path";
import { build } from "esbuild";
import { beforeAll, describe, expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");

/** Modules that each step of `caudal sql -e 'show topics'` and the like imports. */
const light = [
  "cli/src/main.ts",
  "cli/src/sql/command.ts",
  "cli/src/sql/session.ts",
  "cli/src/live/topics.ts",
  "cli/src/kube/live-in-cluster.ts",
];

/** Packages, and folders of ours, that some statements need. */
const heavy = [
  ...["@duckdb/node-api", "pg", "@faker-js/faker", "@marcbachmann/cel-js", "@aws-sdk/client-s3", "@redis/client"],
  ...["cli/src/pipeline/check.ts", "cli/src/sql/create-stream.ts", "cli/src/sql/topic-query.ts", "cli/src/run/run.ts"],
];

/** Source → what it imports at once: not what it imports when it is needed. */
const imports = new Map<string, readonly string[]>();

beforeAll(async () => {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: light,
    outdir: "unused",
    ...{ bundle: true, splitting: true, write: false, metafile: true, platform: "node", format: "esm" },
    external: ["@duckdb/node-bindings-*"],
    logLevel: "error",
  });
  for (const [file, { imports: all }] of Object.entries(metafile.inputs))
    imports.set(
      file,
      all.flatMap(({ path, kind }) => (kind === "dynamic-import" ? [] : path)),
    );
});

function loaded(file: string, seen = new Set<string>()): ReadonlySet<string> {
  if (!seen.has(file)) {
    seen.add(file);
    for (const next of imports.get(file) ?? []) loaded(next, seen);
  }
  return seen;
}

describe.each(light)("%s loads nothing heavy", (entry) => {
  test.each(heavy)("%s", (name) => {
    const found = [...loaded(entry)].filter((file) => file === name || file.startsWith(`node_modules/${name}/`));
    expect(imports.has(entry)).toBe(true);
    expect(found).toEqual([]);
  });
});

test("what is heavy is there for those that need it", () => {
  const all = [...imports.keys()];
  for (const name of ["node_modules/@duckdb/node-api/", "node_modules/pg/", "cli/src/pipeline/check.ts"])
    expect(
      all.some((file) => file.startsWith(name)),
      name,
    ).toBe(true);
});
