import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { Writable } from "node:stream";
import { StageStatus } from "@caudal/crds";
import { Value } from "typebox/value";
import { describe, expect, it, onTestFinished } from "vitest";
import { configFile, parseConfig } from "./config.ts";
import { Drain } from "./drain.ts";
import { ConfigInvalid, describeError, Drained, UsageInvalid, WorkloadError } from "./errors.ts";
import { Health, HEARTBEAT_LIMIT_MS } from "./health.ts";
import { serveHttp } from "./http.ts";
import { createLog } from "./log.ts";
import { createMetrics, timed } from "./metrics.ts";
import { backoff, retry } from "./retry.ts";

const labels = { namespace: "n", pipeline: "p", stage: "s", role: "generator" };

const valid = {
  version: 1,
  pipeline: { namespace: "n", name: "p", uid: "u", generation: 1 },
  stage: { name: "s", role: "generator" },
  kafka: { bootstrapServers: ["127.0.0.1:9092"] },
  generator: { topic: { name: "t", fields: [] }, count: 1, seed: 1, limit: 0, rate: 1 },
};

class Passing extends WorkloadError {
  readonly code = "PASSING";
  readonly reason = "Passing";
  readonly retryable = true;
}

describe("the configuration", () => {
  it("comes from the argument, else the environment, else where the operator mounts it", () => {
    expect(configFile("a", { CAUDAL_CONFIG: "b" })).toBe("a");
    expect(configFile(undefined, { CAUDAL_CONFIG: "b" })).toBe("b");
    expect(configFile(undefined, {})).toBe("/etc/caudal/config.json");
  });

  it("is checked, and each wrong place is named", () => {
    expect(parseConfig(JSON.stringify(valid), "f")).toEqual(valid);
    const bad: [unknown, RegExp][] = [
      ["{", /is not JSON/],
      [{ ...valid, version: 2 }, /\/version must be equal/],
      [{ ...valid, kafka: { bootstrapServers: [] } }, /\/kafka\/bootstrapServers/],
      [{ ...valid, stage: { name: "s", role: "aggregator" } }, /has no "aggregator"/],
    ];
    for (const [value, message] of bad) {
      const text = typeof value === "string" ? value : JSON.stringify(value);
      expect(() => parseConfig(text, "f")).toThrow(ConfigInvalid);
      expect(() => parseConfig(text, "f")).toThrow(message);
    }
  });
});

describe("retry", () => {
  const failing = (times: number, error: Error = new Passing("not yet")): (() => Promise<string>) => {
    let left = times;
    return async () => {
      if (left-- > 0) throw error;
      return "done";
    };
  };

  it("tries until it succeeds and tells of each failure", async () => {
    const seen: [number, number][] = [];
    const options = {
      firstMs: 2,
      random: () => 0.5,
      onRetry: (_: unknown, n: number, ms: number) => void seen.push([n, ms]),
    };
    expect(await retry(failing(3), options)).toBe("done");
    expect(seen).toEqual([
      [1, 1],
      [2, 2],
      [3, 4],
    ]);
  });

  it("ends at an error that does not pass, when attempts are used up, and at once when draining", async () => {
    const onRetry = (): void => undefined;
    await expect(retry(failing(9, new UsageInvalid("no")), { onRetry })).rejects.toBeInstanceOf(UsageInvalid);
    await expect(retry(failing(9), { onRetry, attempts: 3, firstMs: 1 })).rejects.toBeInstanceOf(Passing);
    const drain = new Drain();
    const waiting = retry(failing(Infinity), { signal: drain.signal, firstMs: 60_000, maxMs: 60_000, onRetry });
    drain.request("SIGTERM");
    await expect(waiting).rejects.toBeInstanceOf(Drained);
  });

  it("waits between nothing and a bound that doubles up to the largest", () => {
    expect([1, 2, 3, 20, 2000].map((n) => backoff(n, 100, 5_000, () => 0.999999))).toEqual([99, 199, 399, 4999, 4999]);
    expect(backoff(5, 100, 5_000, () => 0)).toBe(0);
  });
});

describe("health", () => {
  it("is alive while the heartbeat is fresh, and ready only when the role says so and is not ending", () => {
    let now = 1_000;
    const health = new Health(7, () => now);
    expect(health.live().ok).toBe(true);
    expect(health.ready()).toEqual({ ok: false, message: "starting" });
    health.setReady(true, "running");
    expect(health.ready().ok).toBe(true);
    now += HEARTBEAT_LIMIT_MS + 1;
    expect([health.live().ok, health.ready().ok]).toEqual([false, false]);
    health.beat();
    expect([health.live().ok, health.ready().ok]).toEqual([true, true]);
    health.setState("Draining");
    expect(health.ready()).toEqual({ ok: false, message: "draining" });
    health.setState("Running");
    expect(health.status().state).toBe("Draining");
  });

  it("gives the status of the contract, with the time of an error's first appearance", () => {
    let now = 5;
    const health = new Health(7, () => now);
    health.count({ events: 3 });
    health.count({ events: 2, letters: ["WrongType"], lateEvents: 4 });
    health.setError("KafkaUnavailable", "no broker");
    now = 9;
    health.setError("KafkaUnavailable", "no broker");
    health.setPartitions([{ topic: "t", partition: 0, nextOffset: 1, endOffset: 2, idle: false }]);
    const status = health.status();
    expect(Value.Check(StageStatus, status)).toBe(true);
    expect(status).toMatchObject({ generation: 7, events: 5, deadLetters: 1, lateEvents: 4, error: { at: 5 } });
    expect(status.letters).toEqual([{ reason: "WrongType", count: 1, since: 5, at: 5 }]);
    health.setError("WalRetained", "much log", "slot");
    health.setSlot({ wal: "reserved", retained: 7, behind: 3 });
    expect(Value.Check(StageStatus, health.status())).toBe(true);
    expect(health.status()).toMatchObject({
      error: { reason: "KafkaUnavailable", message: "no broker; much log", at: 5 },
      slot: { retained: 7 },
    });
    health.clearError();
    expect(health.status()).toMatchObject({ error: { reason: "WalRetained", at: 9 } });
    health.clearError("slot");
    expect(health.status()).not.toHaveProperty("error");
  });
});

describe("HTTP", () => {
  it("answers what probes, Prometheus and the operator ask", async () => {
    const health = new Health(1);
    const metrics = createMetrics(labels);
    metrics.deadLetters.inc({ reason: "MalformedJson" });
    const call = timed(metrics, "kafka", "fetch", async () => await Promise.reject(new Passing("x")));
    await expect(call).rejects.toBeInstanceOf(Passing);
    const http = await serveHttp(0, { health, registry: metrics.registry, log: createLog({}, "silent") });
    onTestFinished(async () => await http.close());
    const get = async (path: string, method = "GET"): Promise<[number, string]> => {
      const response = await fetch(`http://127.0.0.1:${http.port}${path}`, { method });
      return [response.status, await response.text()];
    };
    expect(await get("/livez")).toEqual([200, "alive\n"]);
    expect(await get("/readyz")).toEqual([503, "starting\n"]);
    const [, text] = await get("/metrics");
    expect(text).toContain('caudal_dead_letters_total{reason="MalformedJson",namespace="n",pipeline="p",stage="s"');
    expect(text).toMatch(/caudal_external_call_seconds_count\{[^}]*outcome="error"[^}]*\} 1/);
    expect(JSON.parse((await get("/status"))[1])).toMatchObject({ state: "Starting", generation: 1 });
    expect((await get("/other"))[0]).toBe(404);
    expect((await get("/livez", "POST"))[0]).toBe(405);
  });
});

describe("logs", () => {
  it("are JSON with labels and without secrets", () => {
    const lines: string[] = [];
    const to = new Writable({ write: (chunk: Buffer, _encoding, done) => (lines.push(chunk.toString()), done()) });
    const log = createLog({ role: "generator" }, "debug", to);
    log.info({ password: "hunter2", kafka: { sasl: { password: "hunter2" } } }, "hello");
    expect(JSON.parse(lines.join(""))).toMatchObject({ level: "info", role: "generator", message: "hello" });
    expect(lines.join("")).not.toContain("hunter2");
    expect(() => createLog({}, "loud")).toThrow(/LOG_LEVEL is "loud"/);
  });

  it("describe an error with its causes, each once", () => {
    const error = new Error("outer", { cause: new AggregateError([new Error("one"), new Error("two")], "inner") });
    expect(describeError(error)).toBe("outer: inner; one; two");
    expect(describeError("text")).toBe("text");
  });
});

describe("the process", () => {
  it.each([
    [["--help"], 0],
    [["nobody"], 2],
    [["generator", "--nonsense"], 2],
    [["generator", "--config", "/nowhere.json"], 2],
  ])("%j ends with code %i", async (args, code) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, "../main.ts"), ...args], { stdio: "ignore" });
    const [exit] = (await once(child, "exit")) as [number];
    expect(exit).toBe(code);
  });
});
