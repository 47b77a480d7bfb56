/** Where in a record fields are: what can be read so, and written. */
import { type Field, pathsOverlap, readFieldPlace, type Topic } from "@caudal/crds";
import { stagesOf } from "../stages.ts";
import { type Check, topicOf } from "./check.ts";

/** Types of what lies beside a record's value. */
const TYPES = {
  key: ["string"],
  header: ["string"],
  partition: ["integer", "bigint"],
  offset: ["bigint"],
  timestamp: ["timestamp"],
};

export const fieldPlacesAreRead: Check = ({ pipeline }) =>
  pipeline.spec.topics.flatMap((topic) =>
    (topic.fields ?? []).flatMap((field) => {
      const message = readProblem(field, topic);
      if (message === undefined) return [];
      return { reason: "FieldPlaceInvalid", message: `spec.topics[${topic.name}].fields[${field.name}]: ${message}` };
    }),
  );

function readProblem(field: Field, { key }: Topic): string | undefined {
  const place = readFieldPlace(field);
  if (typeof place === "string") return place;
  if (place.kind === "value") return undefined;
  const types = TYPES[place.kind];
  if (!types.includes(field.type))
    return place.kind === "key" || place.kind === "header"
      ? `a record's ${place.kind} is text: declare the field as string, and cast it in SQL`
      : `a record's ${place.kind} is of another type: declare the field as ${types.join(" or ")}`;
  if (place.kind === "key" && key !== undefined && key !== field.name)
    return `it is the record's key, and the topic's key is ${key}: write key: ${field.name}, or take the field from the JSON`;
  return undefined;
}

/** Who makes records makes their JSON and their key: the rest of a record is Kafka's, or was on the record before. */
export const fieldPlacesAreWritten: Check = (input) =>
  stagesOf(input.pipeline).flatMap((stage) => {
    if (stage.role !== "generator" && stage.role !== "source") return [];
    const topic = topicOf(input, stage.topic);
    if (topic === undefined) return [];
    const where = `spec.${stage.role}s[${stage.name}]`;
    const read = (topic.fields ?? []).map((field) => ({ field, place: readFieldPlace(field) }));
    const lost = read.flatMap(({ field, place }) =>
      typeof place !== "string" && place.kind === "header" && !field.nullable
        ? [`${stage.topic}.${field.name} is a header, and a ${stage.role} writes none: set nullable: true`]
        : [],
    );
    const unkeyed = read.flatMap(({ field, place }) =>
      typeof place !== "string" && place.kind === "key" && stage.role === "generator" && topic.key !== field.name
        ? [`${stage.topic}.${field.name} is the record's key: write key: ${field.name} in spec.topics[${topic.name}]`]
        : [],
    );
    const paths = read.flatMap(({ field, place }) =>
      typeof place !== "string" && place.kind === "value" ? [{ name: field.name, path: place.path }] : [],
    );
    const twice = paths.flatMap(({ name, path }, index) => {
      const other = paths.slice(0, index).find((before) => pathsOverlap(before.path, path));
      return other === undefined
        ? []
        : [
            `${stage.topic}.${other.name} and ${name} would be written to one place in the JSON: leave one of the two out`,
          ];
    });
    const given = stage.role === "generator" ? (stage.values ?? []).map(({ field }) => field) : [];
    const unwritten = read.flatMap(({ field: { name }, place }) =>
      typeof place !== "string" && place.kind !== "value" && place.kind !== "key" && given.includes(name)
        ? [`values[${name}]: ${name} is taken from the record's ${place.kind}, which nobody writes: leave it out`]
        : [],
    );
    return [...lost, ...unkeyed, ...twice, ...unwritten].map((message) => ({
      reason: "FieldPlaceInvalid",
      message: `${where}: ${message}`,
    }));
  });
