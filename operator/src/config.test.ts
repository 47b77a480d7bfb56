import { describe, expect, test } from "vitest";
import { ConfigError, help, readConfig } from "./config.ts";

test("an image is enough", () => {
  expect(readConfig({ WORKLOAD_IMAGE: "i" })).toMatchObject({
    workloadImage: "i",
    namespaces: [],
    leaderElection: true,
    port: 8080,
    resyncMs: 60_000,
    workloadEnv: {},
  });
});

test("lists are separated by commas, and traces are passed on to workloads", () => {
  const config = readConfig({
    WORKLOAD_IMAGE: "i",
    WATCH_NAMESPACES: " b, a ,,b",
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318",
    OTEL_SERVICE_NAME: "the operator's own",
  });
  expect(config.namespaces).toEqual(["a", "b"]);
  expect(config.workloadEnv).toEqual({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318" });
});

describe("what cannot be used is refused by its name", () => {
  test.each([
    [{}, "WORKLOAD_IMAGE is not set"],
    [{ WORKLOAD_IMAGE: "i", WORKERS: "0" }, 'WORKERS is "0": set it to a whole number from 1 to 64'],
    [{ WORKLOAD_IMAGE: "i", HTTP_PORT: "http" }, "HTTP_PORT"],
    [{ WORKLOAD_IMAGE: "i", LEADER_ELECTION: "yes" }, "set it to one of true, false"],
  ])("%o", (env, message) => {
    expect(() => readConfig(env)).toThrow(ConfigError);
    expect(() => readConfig(env)).toThrow(message);
  });
});

test("--help names every variable that is read", () => {
  const read = new Set<string>();
  readConfig(
    new Proxy<NodeJS.ProcessEnv>(
      { WORKLOAD_IMAGE: "i" },
      {
        get: (target, name) => {
          read.add(String(name));
          return target[String(name)];
        },
      },
    ),
  );
  expect([...read].filter((name) => !help.includes(name))).toEqual([]);
});
