import { defineConfig } from "vitest/config";

/** Unit tests lie beside the code; the slower suites have their own projects and are run by `npm test` in turn. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          globalSetup: "test/bundle.ts",
          isolate: false, // Nothing in them keeps state in a module, and one copy of the modules serves all files.
          include: [
            "{crds,operator,workloads,cli,test}/**/src/**/*.test.ts",
            "test/{bench,cluster,demo}/**/*.test.ts",
            "test/cli/*.test.ts",
          ],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: "api",
          include: ["test/api/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "engine",
          globalSetup: "test/bundle.ts",
          include: ["test/engine/**/*.test.ts", "test/cli/engine/**/*.test.ts"],
          testTimeout: 180_000,
          // The S3 server is built in one, the first time: beside everything else that a fresh machine builds.
          hookTimeout: 900_000,
        },
      },
      {
        test: {
          name: "chaos",
          globalSetup: "test/bundle.ts",
          include: ["test/chaos/*.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          name: "telemetry",
          globalSetup: "test/bundle.ts",
          include: ["test/telemetry/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "contract",
          include: ["test/contract/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 600_000,
        },
      },
      {
        test: {
          name: "charts",
          include: ["test/charts/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 600_000,
        },
      },
      {
        test: {
          name: "e2e",
          globalSetup: "test/bundle.ts",
          include: ["test/e2e/**/*.test.ts"],
          testTimeout: 900_000,
          hookTimeout: 900_000,
        },
      },
    ],
  },
});
