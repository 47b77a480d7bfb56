import type { StreamPipeline } from "@caudal/crds";
import { expect, test } from "vitest";
import { CheckLimited } from "@caudal/pipeline/sql";
import { givenPipeline } from "@caudal/pipeline/testing";
import type { SqlAnswer, SqlQuestion } from "@caudal/pipeline/checks";
import { type AskBounds, SqlChecks, type SqlChecksOptions } from "./sql-checks.ts";

interface Asked {
  readonly question: SqlQuestion;
  readonly bounds: AskBounds;
  answer(answer?: Partial<SqlAnswer>): Promise<void>;
  fail(error: Error): Promise<void>;
}

/** Checks whose questions the test answers, on a clock that the test turns. */
class Scene {
  readonly asked: Asked[] = [];
  readonly told: string[] = [];
  readonly results: string[] = [];
  now = 0;
  readonly checks: SqlChecks;

  constructor(options: Partial<SqlChecksOptions> = {}) {
    this.checks = new SqlChecks({
      ask: (question, bounds) => {
        const { promise, resolve, reject } = Promise.withResolvers<SqlAnswer>();
        bounds.signal.addEventListener("abort", () => {
          reject(new Error("called off"));
        });
        const settled = async () => {
          await promise.catch(() => undefined);
          await new Promise(setImmediate);
        };
        this.asked.push({
          question,
          bounds,
          answer: async (answer = {}) => {
            resolve({ problems: [], transforms: [], ...answer });
            await settled();
          },
          fail: async (error) => {
            reject(error);
            await settled();
          },
        });
        return promise;
      },
      onChecked: (key) => void this.told.push(key),
      onResult: (result) => void this.results.push(result),
      now: () => this.now,
      ...options,
    });
  }

  last(): Asked {
    const last = this.asked.at(-1);
    if (last === undefined) throw new TypeError("nothing was asked");
    return last;
  }
}

const example = givenPipeline();

function pipelineWith(where: string, namespace = "shop", name = "p"): StreamPipeline {
  const { metadata, spec } = example;
  const aggregators = (spec.aggregators ?? []).map((stage) => ({ ...stage, where }));
  return { ...example, metadata: { ...metadata, namespace, name }, spec: { ...spec, aggregators } };
}

test("a verdict is told of when it is there, and is asked for once, also when only the number of replicas changes", async () => {
  const scene = new Scene();
  expect(scene.checks.check(pipelineWith("a"))).toMatchObject({ problems: [], unchecked: { isNew: true } });
  expect(scene.checks.check(pipelineWith("a", "mall")).unchecked?.isNew).toBe(true);
  expect(scene.asked).toHaveLength(1);
  await scene.last().answer({ problems: [{ path: "spec.x", message: "m" }] });
  expect(scene.told).toEqual(["shop/p", "mall/p"]);
  const verdict = { problems: [{ reason: "SqlInvalid", message: "spec.x: m" }] };
  expect(scene.checks.check(pipelineWith("a"))).toEqual(verdict);
  const scaled = pipelineWith("a");
  const more = (scaled.spec.aggregators ?? []).map((stage) => ({ ...stage, replicas: 9 }));
  expect(scene.checks.check({ ...scaled, spec: { ...scaled.spec, aggregators: more } })).toEqual(verdict);
  expect(scene.asked).toHaveLength(1);
  scene.checks.check(pipelineWith("b"));
  expect(scene.asked).toHaveLength(2);
});

test("what waits for long is worth a word", () => {
  const scene = new Scene();
  scene.checks.check(pipelineWith("a"));
  scene.now = 2_500;
  expect(scene.checks.check(pipelineWith("a")).unchecked).toMatchObject({ reason: "SqlBeingChecked", isNew: false });
});

test("a check that was ended at its bound is made again with more time, and then later and later, and is never a verdict", async () => {
  const scene = new Scene();
  const limit = () => new CheckLimited("it was ended because it took more than 4 s of a processor");
  scene.checks.check(pipelineWith("a"));
  const quick = scene.last();
  await quick.fail(limit());
  expect(scene.told).toEqual([]);
  expect(scene.last()).not.toBe(quick);
  expect(scene.last().bounds.cpuMs).toBeGreaterThan(quick.bounds.cpuMs);
  await scene.last().fail(limit());
  expect(scene.told).toEqual(["shop/p"]);
  const { problems, unchecked } = scene.checks.check(pipelineWith("a"));
  expect(problems).toEqual([]);
  expect(unchecked).toMatchObject({ reason: "SqlCheckLimited", againMs: 60_000, isNew: false });
  expect(unchecked?.message).toMatch(
    /says nothing about it: .*more than 4 s of a processor; it is tried again after 60 s/,
  );
  expect(unchecked?.message).toContain("spec.aggregators[metrics]");
  expect(scene.asked).toHaveLength(2);

  scene.now = 60_001;
  scene.checks.check(pipelineWith("a"));
  expect(scene.asked).toHaveLength(3);
  expect(scene.last().bounds.cpuMs).toBe(scene.asked[1]?.bounds.cpuMs);
  await scene.last().fail(limit());
  expect(scene.checks.check(pipelineWith("a")).unchecked?.againMs).toBe(120_000);
  scene.now += 120_001;
  scene.checks.check(pipelineWith("a"));
  await scene.last().answer();
  expect(scene.checks.check(pipelineWith("a"))).toEqual({ problems: [] });
  expect(scene.results).toEqual(["limited", "limited", "valid"]);
});

test("a check that could not be made says nothing about the SQL, and is made again soon", async () => {
  const scene = new Scene();
  scene.checks.check(pipelineWith("a"));
  await scene.last().fail(new TypeError("no child"));
  const { problems, unchecked } = scene.checks.check(pipelineWith("a"));
  expect(problems).toEqual([]);
  expect(unchecked).toMatchObject({ reason: "SqlNotChecked", againMs: 5_000 });
  expect(unchecked?.message).toContain("no child");
  scene.now = 5_001;
  scene.checks.check(pipelineWith("a"));
  expect(scene.asked).toHaveLength(2);
});

test("one namespace's hundred checks, and one that takes long, delay another namespace by two quick checks", async () => {
  const scene = new Scene();
  for (let i = 0; i < 100; i++) scene.checks.check(pipelineWith(`a${i}`, "many", `p${i}`));
  await scene.last().fail(new CheckLimited("it was ended"));
  // One is in the lane of those that take long, and the second of `many` in the quick one.
  expect(scene.asked).toHaveLength(3);
  scene.checks.check(pipelineWith("b", "other", "p"));
  for (let i = 0; i < 3; i++) await scene.last().answer();
  expect(scene.told).toContain("other/p");
});

test("the verdicts of 10,000 pipelines are remembered, and those that are not used are forgotten first", async () => {
  const scene = new Scene({ ask: async () => ({ problems: [], transforms: [] }) });
  for (let i = 0; i < 10_000; i++) scene.checks.check(pipelineWith(`a${i}`));
  while (scene.told.length < 10_000) await new Promise(setImmediate);
  for (let i = 0; i < 10_000; i += 100) expect(scene.checks.check(pipelineWith(`a${i}`)).unchecked).toBeUndefined();

  const small = new Scene({ remembered: 2 });
  for (const where of ["a", "b", "a", "c"]) {
    if (small.checks.check(pipelineWith(where)).unchecked !== undefined) await small.last().answer();
  }
  expect(small.checks.check(pipelineWith("a")).unchecked).toBeUndefined();
  expect(small.checks.check(pipelineWith("b")).unchecked).toBeDefined();
});

test("stopping ends what runs, and tells nobody", async () => {
  const scene = new Scene();
  scene.checks.check(pipelineWith("a"));
  await scene.checks.stop();
  expect(scene.last().bounds.signal.aborted).toBe(true);
  expect(scene.told).toEqual([]);
});
