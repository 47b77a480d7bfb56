import { defineConfig } from "vitest/config";

/** What a file of tests leaves in a module harms no other: one copy of all modules serves the files that a process runs. */
const oneCopy = { isolate: false };
/** What takes its time: `npm test -- --long`. */
const LONG = "test/engine/**/*.long.test.ts";

/** Unit tests lie beside the code; the slower suites have their own projects and are run by `npm test` in turn. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...oneCopy,
          name: "unit",
          globalSetup: "test/bundle.ts",
          include: [
            "{crds,operator,workloads,cli,test}/**/src/**/*.test.ts",
            "test/{bench,cluster,demo}/**/*.test.ts",
            "test/cli/*.test.ts",
          ],
          testTimeout: 60_000,
        },
      },
      {
        test: {
          ...oneCopy,
          name: "api",
          globalSetup: "test/api/support/shared-server.ts",
          include: ["test/api/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          ...oneCopy,
          name: "hostile",
          globalSetup: "test/api/support/shared-server.ts",
          include: ["test/hostile/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          ...oneCopy,
          name: "engine",
          globalSetup: ["test/bundle.ts", "test/engine/shared-broker.ts"],
          include: ["test/engine/**/*.test.ts", "test/cli/engine/**/*.test.ts"],
          exclude: [LONG],
          testTimeout: 300_000,
          // Alone, without `npm test`, the first one builds the S3 server.
          hookTimeout: 900_000,
        },
      },
      {
        test: {
          ...oneCopy,
          name: "engine-long",
          globalSetup: ["test/bundle.ts", "test/engine/shared-broker.ts"],
          include: [LONG],
          testTimeout: 300_000,
          hookTimeout: 900_000,
        },
      },
      {
        test: {
          ...oneCopy,
          name: "chaos",
          globalSetup: "test/bundle.ts",
          include: ["test/chaos/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          ...oneCopy,
          name: "telemetry",
          globalSetup: "test/bundle.ts",
          include: ["test/telemetry/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          ...oneCopy,
          name: "contract",
          include: ["test/contract/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 600_000,
        },
      },
      {
        test: {
          ...oneCopy,
          name: "charts",
          include: ["test/charts/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 600_000,
        },
      },
      {
        test: {
          ...oneCopy,
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
