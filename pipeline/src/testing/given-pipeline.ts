/** The example pipeline, with parts replaced. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { type StreamPipeline, withDefaults } from "@caudal/crds";

const example = join(import.meta.dirname, "../../../examples/app-events/pipeline.yaml");

export function givenPipeline(change: (spec: StreamPipeline["spec"]) => void = () => undefined): StreamPipeline {
  const file = parse(readFileSync(example, "utf8")) as StreamPipeline;
  change(file.spec);
  const metadata = { name: "app-events", namespace: "ns", uid: "u1", generation: 2, resourceVersion: "7" };
  return withDefaults({ ...file, metadata });
}
