import { Value } from "typebox/value";
import { PipelineSpec } from "./schema/pipeline.ts";
import type { StreamPipeline } from "./schema/pipeline.ts";

/**
 * Fills in the defaults as the API server does, for pipelines that are read from a file.
 *
 * @param pipeline as parsed; it is not changed
 * @returns a copy with every default of the schema
 */
export function withDefaults(pipeline: Omit<StreamPipeline, "spec"> & { spec: unknown }): StreamPipeline {
  return { ...pipeline, spec: Value.Default(PipelineSpec, structuredClone(pipeline.spec)) as PipelineSpec };
}
