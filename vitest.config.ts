import { configDefaults, defineConfig } from "vitest/config";

/** What takes its time: `npm test -- --long`. */
const LONG = "**/*.long.test.ts";

interface Suite {
  readonly include: readonly string[];
  readonly globalSetup?: string | readonly string[];
  readonly testTimeout?: number;
  readonly hookTimeout?: number;
  readonly fileParallelism?: boolean;
}

function project(name: string, { include, globalSetup = [], ...suite }: Suite, exclude: readonly string[]) {
  return {
    test: {
      name,
      // What a file of tests leaves in a module harms no other: one copy of all modules serves the files of a process.
      isolate: false,
      testTimeout: 300_000,
      hookTimeout: 300_000,
      ...suite,
      globalSetup: [globalSetup].flat(),
      include: [...include],
      exclude: [...configDefaults.exclude, ...exclude],
    },
  };
}

/** One project, and beside it one of its long files where it has some. */
const suite = (name: string, options: Suite) => project(name, options, [LONG]);
const suiteWithLong = (name: string, options: Suite) => [
  suite(name, options),
  project(
    `${name}-long`,
    { ...options, include: options.include.map((glob) => glob.replace(/\*\.test\.ts$/, "*.long.test.ts")) },
    [],
  ),
];

/** Unit tests lie beside the code; the slower suites have their own projects and are run by `npm test` in turn. */
export default defineConfig({
  test: {
    projects: [
      suite("unit", {
        globalSetup: "test/bundle.ts",
        include: [
          "{crds,pipeline,operator,workloads,cli,test}/**/src/**/*.test.ts",
          "test/{bench,cluster,demo}/**/*.test.ts",
          "test/cli/*.test.ts",
        ],
        testTimeout: 60_000,
      }),
      ...suiteWithLong("api", { globalSetup: "test/api/support/shared-server.ts", include: ["test/api/**/*.test.ts"] }),
      suite("hostile", { globalSetup: "test/api/support/shared-server.ts", include: ["test/hostile/**/*.test.ts"] }),
      ...suiteWithLong("engine", {
        globalSetup: ["test/bundle.ts", "test/engine/shared-broker.ts"],
        include: ["test/engine/**/*.test.ts", "test/cli/engine/**/*.test.ts"],
        // Alone, without `npm test`, the first one builds the S3 server.
        hookTimeout: 900_000,
      }),
      suite("chaos", { globalSetup: "test/bundle.ts", include: ["test/chaos/*.test.ts"] }),
      suite("telemetry", {
        globalSetup: "test/bundle.ts",
        include: ["test/telemetry/**/*.test.ts"],
        fileParallelism: false,
      }),
      suite("contract", { include: ["test/contract/**/*.test.ts"], hookTimeout: 600_000 }),
      suite("charts", { include: ["test/charts/**/*.test.ts"], hookTimeout: 600_000 }),
      ...suiteWithLong("e2e", {
        globalSetup: "test/bundle.ts",
        include: ["test/e2e/**/*.test.ts"],
        testTimeout: 900_000,
        hookTimeout: 900_000,
      }),
    ],
  },
});
