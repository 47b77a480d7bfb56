/** Waits until the pipeline is Ready and its tables have rows, and says what changes on the way. */
import { setTimeout as sleep } from "node:timers/promises";
import { CommandFailed } from "../cluster/host/errors.ts";
import { kubectl } from "../cluster/host/kubectl.ts";
import { type Progress } from "../cluster/host/progress.ts";
import { DemoFailed } from "./errors.ts";
import { type Example } from "./example.ts";
import { namespace } from "./install.ts";
import { readTables, type TableView } from "./tables.ts";

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly observedGeneration?: number;
}

interface Pipeline {
  readonly metadata: { readonly generation: number };
  readonly status?: { readonly conditions?: readonly Condition[] };
}

const longest = 160;

/** The conditions that changed between two looks, as lines for people; `Ready`, which sums them up, is left out. */
export function changes(before: readonly Condition[], after: readonly Condition[]): readonly string[] {
  const seen = new Map(before.map((condition) => [condition.type, `${condition.status} ${condition.reason}`]));
  return after
    .filter(({ type }) => type !== "Ready")
    .filter(({ type, status, reason }) => seen.get(type) !== `${status} ${reason}`)
    .map(({ type, status, reason = "", message = "" }) => {
      const line = status === "True" ? `  ${type}` : `  ${type} not yet (${reason}): ${message}`;
      return line.length > longest ? `${line.slice(0, longest)} …` : line;
    });
}

/** Whether the pipeline is Ready as it is now, not as it was before the last change to it. */
export function isReady({ metadata, status }: Pipeline): boolean {
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  return ready?.status === "True" && ready.observedGeneration === metadata.generation;
}

export async function awaitReady(progress: Progress, example: Example, seconds: number): Promise<void> {
  const end = performance.now() + seconds * 1000;
  let before: readonly Condition[] = [];
  for (;;) {
    const args = ["-n", namespace, "get", "streampipeline", example.pipeline, "-o", "json"];
    const pipeline = JSON.parse(await kubectl(args)) as Pipeline;
    const conditions = pipeline.status?.conditions ?? [];
    changes(before, conditions).forEach(progress.say);
    if (isReady(pipeline)) return;
    before = conditions;
    if (performance.now() > end)
      throw new DemoFailed(`StreamPipeline ${example.pipeline} is not Ready after ${seconds} s`);
    await sleep(1000);
  }
}

/** The tables if each has a row, or what is missing. */
async function filledTables(example: Example): Promise<readonly TableView[] | string> {
  try {
    const tables = await readTables(example, 10);
    const empty = tables.filter(({ count }) => count === 0).map(({ name }) => name);
    return empty.length === 0 ? tables : `no rows in ${empty.join(", ")}`;
  } catch (error) {
    // A table that is still to be made, a database that restarts: worth another look.
    if (error instanceof CommandFailed) return error.output.trim();
    throw error;
  }
}

/** The tables, once each of them has a row. */
export async function awaitRows(example: Example, seconds: number): Promise<readonly TableView[]> {
  const end = performance.now() + seconds * 1000;
  for (;;) {
    const tables = await filledTables(example);
    if (typeof tables !== "string") return tables;
    if (performance.now() > end) throw new DemoFailed(`The tables are not filled after ${seconds} s: ${tables}`);
    await sleep(1000);
  }
}
