/** The values of all types as rows for an output. */
import { compileTransformPlan } from "@caudal/pipeline/duckdb";
import type { TransformPlan } from "@caudal/pipeline/sql";
import { Projection } from "../projection.ts";
import type { Rows } from "../rows.ts";
import { topicOf } from "@caudal/pipeline/testing";
import { blockOf } from "./block.ts";
import { EXTREME_ROWS, EXTREMES, extremeEvent, extremeFields } from "./values.ts";

/** @returns columns `n`, and `c0`, `c1` … of computed values of each type; row by row the values at the ends of each type */
export async function projectExtremes(): Promise<{ readonly plan: TransformPlan; readonly rows: Rows }> {
  const topic = topicOf(extremeFields());
  const select = ["n", ...EXTREMES.map(({ duckdbType }, index) => `r${index}::${duckdbType} as c${index}`)];
  const plan = await compileTransformPlan({ topic, lookups: [], deadLetterTopic: "d", to: [], replicas: 1, select });
  const projection = await Projection.open(plan, topic, { wants: new Set(["columns", "json"]) });
  try {
    const values = Array.from({ length: EXTREME_ROWS }, (_, row) => extremeEvent(row));
    await projection.add(blockOf(values), { from: 0, to: values.length });
    return { plan, rows: projection.take() };
  } finally {
    await projection.close();
  }
}
