/**
 * Bundles every program into its member's dist/ folder, ready to be copied into an image: `node dist/main.js` needs
 * nothing else but Node. DuckDB's native library is no JavaScript and goes beside the bundle.
 */
import { build, type Plugin } from "esbuild";
import { existsSync, globSync, readFileSync } from "node:fs";
import { cp, link, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";

const root = join(import.meta.dirname, "..");
const [HASH, BANG] = Buffer.from("#!");
/** The program that checks SQL in a process of its own, beside those that ask it. */
const checkSql = { "check-sql": "pipeline/src/sql/check-sql.ts" };
/** The command line. */
export const caudal = { main: "cli/src/main.ts", ...checkSql };

interface Bundle {
  readonly dist: string;
  /** Output name → source. */
  readonly entries: Readonly<Record<string, string>>;
}

/** What there is to bundle: one folder an image. */
export const bundles: readonly Bundle[] = [
  {
    dist: "operator/dist",
    entries: { main: "operator/src/main.ts", ...checkSql },
  },
  { dist: "cli/dist", entries: caudal },
  {
    dist: "workloads/dist",
    entries: { main: "workloads/src/main.ts", "fake-customers": "examples/customers/fake-data.ts" },
  },
  { dist: "test/cluster/stand-ins/dist", entries: { main: "test/cluster/stand-ins/main.ts" } },
];

/** The folder of DuckDB's native library for Linux; fetched by npm where this host is something else. */
async function duckdbLibrary(): Promise<string> {
  const name = `@duckdb/node-bindings-linux-${process.arch}`;
  const installed = join(root, "node_modules", name);
  if (existsSync(installed)) return installed;
  const bindings = createRequire(import.meta.url).resolve("@duckdb/node-bindings/package.json");
  const { version } = JSON.parse(readFileSync(bindings, "utf8")) as { version: string };
  const folder = await mkdtemp(join(tmpdir(), "caudal-duckdb-"));
  execFileSync("npm", ["pack", "--silent", `${name}@${version}`], { cwd: folder });
  const [archive = ""] = execFileSync("ls", [folder], { encoding: "utf8" }).split("\n");
  execFileSync("tar", ["-xzf", archive], { cwd: folder });
  return join(folder, "package");
}

/**
 * Packages whose modules only define things, though they do not say so: what of them nobody uses is left out. Else a
 * program that only talks to a broker would compile the schemas of every option of every client when it starts. They have
 * a namespace of their own, so that the bundler asks for their modules alone.
 */
const DEFINING = "defining";
const withoutUnused: Plugin = {
  name: "without-unused",
  setup({ onLoad, onResolve, resolve: find }) {
    const module = (path: string) => ({ path, namespace: DEFINING, sideEffects: false });
    onResolve(
      { filter: /^(@platformatic\/kafka|@kubernetes\/client-node)$/ },
      async ({ path, resolveDir, kind, pluginData }) => {
        if (pluginData === DEFINING) return undefined;
        const found = await find(path, { resolveDir, kind, pluginData: DEFINING });
        return found.errors.length > 0 ? { errors: found.errors } : module(found.path);
      },
    );
    onResolve({ filter: /^\.{1,2}\//, namespace: DEFINING }, ({ path, importer }) => {
      const target = resolve(dirname(importer), path);
      return /\.m?js$/.test(target) && existsSync(target) ? module(target) : undefined;
    });
    onLoad({ filter: /./, namespace: DEFINING }, async ({ path }) => ({
      contents: await readFile(path),
      resolveDir: dirname(path),
    }));
  },
};

/** A bundle's input as a path from the root of the repository. */
function sourceOf(input: string): string {
  return input.startsWith(`${DEFINING}:`) ? relative(root, input.slice(DEFINING.length + 1)) : input;
}

/** A bundle that could not be made: sources that do not compile, or are missing. */
export class BundleFailed extends Error {
  readonly code = "BUNDLE_FAILED";
  constructor(dist: string, cause: unknown) {
    super(`${dist} could not be bundled: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = "BundleFailed";
  }
}

/**
 * Bundles one member; `dist` is as in the root of the repository, or absolute.
 *
 * @returns what it was made of: paths from the root of the repository
 */
export async function bundle({ dist, entries }: Bundle): Promise<readonly string[]> {
  const outdir = resolve(root, dist);
  const result = await build({
    absWorkingDir: root,
    entryPoints: entries,
    outdir,
    bundle: true,
    // What only some need (traces, made-up values, DuckDB) is read only by those.
    splitting: true,
    platform: "node",
    target: "node24",
    format: "esm",
    sourcemap: "linked",
    sourcesContent: false,
    metafile: true,
    write: false,
    logLevel: "silent",
    external: ["@duckdb/node-bindings-*"],
    plugins: [withoutUnused],
    // Names stay, for stack traces.
    minifyWhitespace: true,
    minifySyntax: true,
    // CommonJS packages inside an ES module still ask for these.
    banner: {
      js: [
        'import { createRequire as caudalRequire } from "node:module";',
        'import { fileURLToPath as caudalPath } from "node:url";',
        "const require = caudalRequire(import.meta.url);",
        "const __filename = caudalPath(import.meta.url);",
        'const __dirname = caudalPath(new URL(".", import.meta.url));',
      ].join("\n"),
    },
  });
  await rm(outdir, { recursive: true, force: true });
  await mkdir(outdir, { recursive: true });
  // What begins with #! is a program of its own.
  for (const { path, contents } of result.outputFiles)
    await writeFile(path, contents, { mode: contents[0] === HASH && contents[1] === BANG ? 0o755 : 0o644 });
  const inputs = Object.keys(result.metafile.inputs).map(sourceOf);
  await copyAssets(inputs, outdir);
  return inputs;
}

/** A second name for the file, because it is large; a copy where the file systems differ. */
async function linkOrCopy(source: string, target: string): Promise<void> {
  try {
    await link(source, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
    await cp(source, target);
  }
}

/** Files that packages read at run time from beside their code, which now is the bundle. */
async function copyAssets(inputs: readonly string[], outdir: string): Promise<void> {
  const folders = new Set(inputs.map((input) => join(root, dirname(input))));
  for (const folder of folders) {
    for (const name of globSync("*.wasm", { cwd: folder })) await cp(join(folder, name), join(outdir, name));
  }
  if (inputs.some((input) => input.includes("@duckdb/node-bindings/"))) {
    const library = await duckdbLibrary();
    const target = join(outdir, `node_modules/@duckdb/node-bindings-linux-${process.arch}`);
    await mkdir(target, { recursive: true });
    for (const name of await readdir(library)) await linkOrCopy(join(library, name), join(target, name));
  }
}

export interface Built {
  /** The dist folders that were made. */
  readonly made: readonly string[];
  /** What is wrong with the others; their dist folders are as they were. */
  readonly failed: readonly BundleFailed[];
}

/** Bundles all members; those without sources are left out. */
export async function buildAll(): Promise<Built> {
  const present = bundles
    .map(({ dist, entries }) => ({
      dist,
      entries: Object.fromEntries(Object.entries(entries).filter(([, source]) => existsSync(join(root, source)))),
    }))
    .filter(({ entries }) => "main" in entries);
  const results = await Promise.all(
    present.map(async (one) => {
      try {
        await bundle(one);
        return one.dist;
      } catch (error) {
        return new BundleFailed(one.dist, error);
      }
    }),
  );
  return {
    made: results.filter((result) => typeof result === "string"),
    failed: results.filter((result) => result instanceof BundleFailed),
  };
}

if (import.meta.main) {
  const start = performance.now();
  const { made, failed } = await buildAll();
  console.log(`build: ${made.join(", ") || "nothing"} in ${((performance.now() - start) / 1000).toFixed(1)} s`);
  for (const { message } of failed) console.error(`build: ${message}`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}
