/** Durations and types of fields, which the API server takes as any text. */
import { durationProblem, fieldTypeProblem, marked, type Marked, meantFieldType, PipelineSpec } from "@caudal/crds";
import type { StreamPipeline } from "@caudal/crds";
import type { Check } from "./check.ts";

export const durationsAreWritten: Check = ({ pipeline }) =>
  markedIn(pipeline.spec).flatMap(({ mark, path, value }) => {
    const problem = mark === "duration" ? durationProblem(value) : undefined;
    return problem === undefined ? [] : { reason: "DurationInvalid", message: `${path}: ${problem}` };
  });

export const fieldTypesExist: Check = ({ pipeline }) =>
  markedIn(pipeline.spec).flatMap(({ mark, path, value }) => {
    const problem = mark === "fieldType" ? fieldTypeProblem(String(value)) : undefined;
    return problem === undefined ? [] : { reason: "UnknownType", message: `${path}: ${problem}` };
  });

/** A topic's time is a field of type timestamp. */
export const timestampsAreTimes: Check = ({ pipeline }) =>
  pipeline.spec.topics.flatMap((topic) => {
    const field = topic.fields?.find(({ name }) => name === topic.timestamp);
    if (field === undefined || meantFieldType(field.type) === "timestamp") return [];
    const times = (topic.fields ?? []).filter(({ type }) => meantFieldType(type) === "timestamp");
    return {
      reason: "TimestampInvalid",
      message: `spec.topics[${topic.name}].timestamp: the field ${field.name} is of type ${field.type}: timestamp must name one of the topic's fields of type timestamp${times.length === 0 ? "" : ` (${times.map(({ name }) => name).join(", ")})`}, or be left out to use the record's own time`,
    };
  });

/**
 * The pipeline with what is wrong put right or left out, so that the rest of it can be checked in the same round: types as
 * they were meant, durations of one minute, no stages and outputs of topics that are not there.
 */
export function repaired(pipeline: StreamPipeline): StreamPipeline {
  const spec = structuredClone(pipeline.spec);
  for (const { mark, value, put } of markedIn(spec)) {
    if (mark === "fieldType") put(meantFieldType(String(value)));
    else if (durationProblem(value) !== undefined) put("1m");
  }
  const readable = new Set<string>();
  for (const topic of spec.topics) {
    if ((topic.fields?.length ?? 0) > 0) readable.add(topic.name);
    const time = topic.fields?.find(({ name }) => name === topic.timestamp);
    if (time !== undefined && time.type !== "timestamp") delete topic.timestamp;
  }
  const declared = new Set(spec.topics.map(({ name }) => name));
  spec.transforms = (spec.transforms ?? [])
    .filter(({ topic }) => readable.has(topic))
    .map((stage) => ({ ...stage, to: stage.to.filter(({ topic }) => topic === undefined || declared.has(topic)) }));
  spec.aggregators = (spec.aggregators ?? []).filter(({ topic }) => readable.has(topic));
  for (const { tables } of spec.aggregators)
    for (const table of tables)
      if (table.emit !== undefined && !declared.has(table.emit.final.topic)) delete table.emit;
  return { ...pipeline, spec };
}

function markedIn(spec: StreamPipeline["spec"]): readonly Marked[] {
  return marked(PipelineSpec, spec, "spec");
}
