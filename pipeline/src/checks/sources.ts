/** What of sources the API server cannot say. */
import type { Topic } from "@caudal/crds";
import { type Check, topicOf } from "./check.ts";

/** Columns that a source needs are fields of its topic: they are in each record. */
export const sourceColumnsAreFields: Check = (input) =>
  (input.pipeline.spec.sources ?? []).flatMap(({ name, topic: topicName, postgres }) => {
    const topic = topicOf(input, topicName);
    if (topic?.fields === undefined) return [];
    const where = `spec.sources[${name}].postgres`;
    const { keyColumns = [], timestampColumn, operationField } = postgres;
    const needed = [
      ...keyColumns.map((column) => ({ place: "keyColumns", column })),
      ...(timestampColumn === undefined ? [] : [{ place: "timestampColumn", column: timestampColumn }]),
      ...(operationField === undefined ? [] : [{ place: "operationField", column: operationField }]),
    ];
    const missing = needed.flatMap(({ place, column }) =>
      fieldOf(topic, column) === undefined
        ? [
            {
              reason: "SourceFieldMissing",
              message: `${where}.${place}: ${withoutQuotes(topic, column) ?? `the topic ${topicName} has no field ${column}: add it to spec.topics[${topicName}].fields`}`,
            },
          ]
        : [],
    );
    const operation = operationField === undefined ? undefined : fieldOf(topic, operationField);
    if (operation === undefined || operation.type === "string") return missing;
    return [
      ...missing,
      {
        reason: "SourceFieldInvalid",
        message: `${where}.operationField: the field ${operation.name} is of type ${operation.type}: make it a string`,
      },
    ];
  });

/** A row is found by its whole key, so the record's key is the whole key too. */
export const sourceTopicKeysAreRowKeys: Check = (input) =>
  (input.pipeline.spec.sources ?? []).flatMap(({ name, topic: topicName, postgres: { keyColumns } }) => {
    const key = topicOf(input, topicName)?.key;
    if (key === undefined || keyColumns === undefined || (keyColumns.length === 1 && keyColumns[0] === key)) return [];
    return {
      reason: "SourceKeyInvalid",
      message:
        `spec.topics[${topicName}].key: the rows of spec.sources[${name}] are identified by ${keyColumns.join(", ")}: ` +
        (keyColumns.length === 1
          ? `write key: ${keyColumns[0] ?? ""}`
          : "leave key out, and records are keyed by all of them"),
    };
  });

/** A name that stands alone is written to the letter. @returns what to write where its quotes are the only mistake */
function withoutQuotes(topic: Topic, column: string): string | undefined {
  const bare = /^"(.+)"$/.exec(column)?.[1]?.replaceAll('""', '"');
  if (bare === undefined || fieldOf(topic, bare) === undefined) return undefined;
  return `a name that stands alone has no quotes: write ${bare}`;
}

function fieldOf({ fields }: Topic, name: string) {
  return fields?.find((field) => field.name === name);
}
