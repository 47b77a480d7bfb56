/** The measurements by name: what each needs first, and what it ends with. */
import { writeFile } from "node:fs/promises";
import type { Progress } from "../cluster/host/progress.ts";
import { buildWorkloads } from "./engines/caudal.ts";
import { engines } from "./engines/index.ts";
import { measureGenerator } from "./generator.ts";
import { measureGrowth } from "./growth.ts";
import { prepareStreamsTransform } from "./engines/kafka-streams.ts";
import { measureLatency } from "./latency.ts";
import type { Options } from "./options.ts";
import { throughputChart } from "./report/chart.ts";
import { generatorTable } from "./report/generator.ts";
import { growthTable } from "./report/growth.ts";
import { latencyTable } from "./report/latency.ts";
import { type Result, summarize } from "./report/results.ts";
import { smallTable } from "./report/small.ts";
import { configurationList, throughputTable } from "./report/table.ts";
import type { Bench } from "./running.ts";
import { transformEngines } from "./engines/transforms.ts";
import { transformTable } from "./report/transform.ts";
import { measureSmall } from "./small.ts";
import { transformKinds } from "./transform-kinds.ts";
import { measureTransform } from "./transform.ts";
import { measureThroughput } from "./throughput.ts";

export interface Measured {
  /** For the file of --json. */
  readonly results: readonly unknown[];
  /** Markdown. */
  readonly table: string;
  /** SVG. */
  readonly chart?: string;
  /** What did not come to its end, or is not right: a line each. */
  readonly wrong: readonly string[];
}

/** Besides the rate that is asked for, the cost of next to nothing. */
const TRICKLE = 10;

/** Writes results to the file of --json, those so far too. */
export async function writeResults({ json }: Options, results: readonly unknown[]): Promise<void> {
  if (json !== undefined) await writeFile(json, `${JSON.stringify(results, undefined, 2)}\n`);
}

/** Builds what the measurement needs. @returns the measurement */
export async function measure(options: Options, progress: Progress): Promise<(bench: Bench) => Promise<Measured>> {
  const chosen = options.engines.map((name) => engines[name]);
  switch (options.measure) {
    case "throughput": {
      for (const engine of chosen) await engine.prepare(progress);
      return async (bench) => {
        const onResult = async (results: readonly Result[]): Promise<void> => await writeResults(options, results);
        const { results, failed } = await measureThroughput(bench, { ...options, engines: chosen, onResult }, progress);
        const summaries = summarize(results);
        const inexact = summaries.filter(({ exact }) => !exact).map(({ engine }) => `not exact: ${engine}`);
        return {
          results,
          table: `${throughputTable(summaries)}\n\n${configurationList(summaries)}`,
          chart: throughputChart(summaries),
          wrong: [...failed.map((title) => `failed: ${title}`), ...inexact],
        };
      };
    }
    case "latency": {
      for (const engine of chosen) await engine.prepare(progress);
      const rates = [...new Set([options.rate, TRICKLE])];
      return async (bench) => {
        const results = await measureLatency(bench, { engines: chosen, rates, seconds: options.seconds }, progress);
        const wrong = results
          .filter(({ allCounted }) => !allCounted)
          .map(({ engine, rate }) => `${engine} at ${rate} events/s: the tables do not hold all events`);
        return { results, table: latencyTable(results), wrong };
      };
    }
    case "generator": {
      await progress.step("bundling Caudal", buildWorkloads);
      return async (bench) => {
        const results = await measureGenerator(bench, options, progress);
        return { results, table: generatorTable(results), wrong: [] };
      };
    }
    case "transform": {
      const transforming = Object.values(transformEngines).filter(({ name }) => options.engines.includes(name));
      const kinds = transformKinds.filter(
        ({ name }) => options.scenarios.length === 0 || options.scenarios.includes(name),
      );
      for (const engine of transforming) await engine.prepare(progress);
      return async (bench) => {
        const what = { ...options, engines: transforming, kinds };
        const { results, failed } = await measureTransform(bench, what, progress);
        const inexact = results
          .filter(({ exact }) => !exact)
          .map(({ kind, engine, run }) => `not exact: ${kind}, ${engine}, run ${run}`);
        return {
          results,
          table: transformTable(results),
          wrong: [...failed.map((title) => `failed: ${title}`), ...inexact],
        };
      };
    }
    case "small": {
      await progress.step("bundling Caudal", buildWorkloads);
      if (options.scenarios.length === 0) await prepareStreamsTransform(progress);
      return async (bench) => {
        const results = await measureSmall(bench, { ...options, names: options.scenarios }, progress);
        const wrong = results.filter(({ complete }) => !complete).map(({ name }) => `not complete: ${name}`);
        return { results, table: smallTable(results), wrong };
      };
    }
    case "growth": {
      await progress.step("bundling Caudal", buildWorkloads);
      return async (bench) => {
        const { results, failed } = await measureGrowth(bench, options, progress);
        const inexact = results.filter(({ exact }) => !exact).map(({ scenario }) => `not exact: ${scenario}`);
        return {
          results,
          table: growthTable(results),
          wrong: [...failed.map((name) => `failed: ${name}`), ...inexact],
        };
      };
    }
  }
}
