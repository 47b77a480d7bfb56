/** Topics and their fields. */
import { type ReadingStage, readingStagesOf, stagesOf } from "../stages.ts";
import { type Check, duplicates, topicOf } from "./check.ts";

/** SQL does not tell names apart by case. */
export const fieldNamesDifferInMoreThanCase: Check = ({ pipeline }) =>
  pipeline.spec.topics.flatMap((topic) =>
    duplicates(
      topic.fields ?? [],
      ({ name }) => name.toLowerCase(),
      ({ name }) => name,
    ).map(({ first, second }) => ({
      reason: "DuplicateField",
      message: `spec.topics[${topic.name}].fields[${second}]: SQL cannot tell it from ${first}: rename one of the two`,
    })),
  );

const MAX_PRECISION = 38;

export const decimalsFit: Check = ({ pipeline }) =>
  pipeline.spec.topics.flatMap((topic) =>
    (topic.fields ?? []).flatMap(({ name, type }) => {
      const match = /^decimal\((\d+),(\d+)\)$/.exec(type);
      if (match === null) return [];
      const [precision, scale] = [Number(match[1]), Number(match[2])];
      if (precision <= MAX_PRECISION && scale <= precision) return [];
      return {
        reason: "DecimalOutOfRange",
        message:
          `spec.topics[${topic.name}].fields[${name}]: ${type} is out of range: write decimal(p,s) with p from 1 to ` +
          `${MAX_PRECISION} and s from 0 to p`,
      };
    }),
  );

/** Stages read and write fields: a topic without them is only passed along. */
export const stageTopicsHaveFields: Check = (input) =>
  stagesOf(input.pipeline).flatMap((stage) => {
    const topic = topicOf(input, stage.topic);
    if (topic === undefined || (topic.fields?.length ?? 0) > 0) return [];
    return {
      reason: "TopicWithoutFields",
      message: `spec.${stage.role}s[${stage.name}]: the topic ${topic.name} has no fields: declare them in spec.topics[${topic.name}].fields`,
    };
  });

/** Kafka writes `.` and `_` alike in its metrics and refuses the second topic of such a pair. */
export const topicNamesDoNotCollide: Check = ({ pipeline }) => {
  const declared = pipeline.spec.topics.map(({ name }) => name);
  const letters = readingStagesOf(pipeline)
    .map(({ deadLetterTopic }) => deadLetterTopic)
    .filter((name) => !declared.includes(name));
  return duplicates(
    [...declared, ...new Set(letters)],
    (name) => name.replaceAll(".", "_"),
    (name) => name,
  ).map(({ first, second }) => ({
    reason: "TopicNamesCollide",
    message: `the topics ${first} and ${second} differ only in . and _, which Kafka does not tell apart: rename one of the two`,
  }));
};

/** Dead letters are records of another form: they cannot go where events of the schema are. */
export const deadLettersGoElsewhere: Check = (input) =>
  readingStagesOf(input.pipeline).flatMap((stage) => {
    const name = stage.deadLetterTopic;
    const where = `spec.${stage.role}s[${stage.name}].deadLetterTopic`;
    if (name === "." || name === "..")
      return {
        reason: "DeadLetterTopicInvalid",
        message: `${where}: a topic cannot be named ${name}: use another name`,
      };
    if (name === stage.topic)
      return {
        reason: "DeadLetterTopicInvalid",
        message:
          stage.role === "source"
            ? `${where}: ${name} is the topic that the rows go to, and dead letters are not of its form: use another`
            : `${where}: ${name} is the topic that the stage reads: its dead letters would come back for ever; use another`,
      };
    const declared = topicOf(input, name);
    if (declared === undefined && input.pipeline.spec.kafka.external !== undefined)
      return {
        reason: "DeadLetterTopicMissing",
        message: `${where}: nobody here makes the topic ${name} on a Kafka outside: create it there, and declare it in spec.topics with managed: false`,
      };
    if (declared === undefined || (declared.fields?.length ?? 0) === 0) return [];
    return {
      reason: "DeadLetterTopicInvalid",
      message: `${where}: ${name} is declared with fields, and dead letters are not of that form: use a topic without fields`,
    };
  });

/** max.message.bytes is also what the dead-letter topic's is computed from. */
export const messageBytesIsANumber: Check = ({ pipeline }) =>
  pipeline.spec.topics.flatMap(({ name, config }) => {
    const bytes = config?.["max.message.bytes"];
    if (bytes === undefined || (/^\d{1,10}$/.test(bytes) && Number(bytes) <= 2_147_418_111)) return [];
    return {
      reason: "TopicConfigInvalid",
      message: `spec.topics[${name}].config: max.message.bytes must be a number of bytes below 2 GiB, such as "1048576"`,
    };
  });

/** What stages write is of a form of its own: where dead letters go, nobody could tell them apart. */
export const resultsGoElsewhere: Check = ({ pipeline }) => {
  const stages = readingStagesOf(pipeline);
  const letters = new Map(stages.map(({ name, role, deadLetterTopic }) => [deadLetterTopic, `spec.${role}s[${name}]`]));
  return stages.flatMap((stage) =>
    resultTopicsOf(stage).flatMap(({ path, topic }) => {
      const other = letters.get(topic);
      if (other === undefined) return [];
      return {
        reason: "EmissionInvalid",
        message: `spec.${stage.role}s[${stage.name}].${path}: ${topic} gets the dead letters of ${other}: use another topic`,
      };
    }),
  );
};

function resultTopicsOf(stage: ReadingStage): { path: string; topic: string }[] {
  if (stage.role === "source") return [{ path: "topic", topic: stage.topic }];
  return stage.role === "aggregator"
    ? stage.tables.flatMap(({ name, emit }) =>
        emit === undefined ? [] : [{ path: `tables[${name}].emit.final.topic`, topic: emit.final.topic }],
      )
    : stage.to.flatMap(({ name, topic }) => (topic === undefined ? [] : [{ path: `to[${name}].topic`, topic }]));
}
