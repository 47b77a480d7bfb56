import { type Static, Type } from "typebox";
import { mark } from "../marked.ts";
import { listMap, Name, rules, TopicName } from "./common.ts";

/** A type as text: which exist, the operator tells, with what to write instead of others. */
export const FieldType = (description: string) =>
  Type.String({ minLength: 1, maxLength: 64, ...mark("fieldType"), description });

export const TimeUnit = Type.Union(
  [Type.Literal("seconds"), Type.Literal("milliseconds"), Type.Literal("microseconds"), Type.Literal("nanoseconds")],
  {
    description:
      "What a number in a field of type timestamp counts since 1970; milliseconds without it. Texts are ISO 8601 whatever it is.",
  },
);
export type TimeUnit = Static<typeof TimeUnit>;

export const Field = Type.Object(
  {
    name: Name(
      "Name of the column in SQL, in double quotes there where SQL needs them; also the key in the event's JSON object, unless `from` names another place.",
    ),
    from: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 512,
        description:
          'Where in a record the field is: a path in its JSON, as $.user.id, $."user-id" or $.items[0].sku; or key, header:NAME, partition, offset or timestamp. The key of its name in the JSON object without it.',
        ...rules({
          rule: "self.startsWith('$') || self.startsWith('header:') || self in ['key', 'partition', 'offset', 'timestamp']",
          message:
            'write a path such as $.user.id, $."user-id" or $.items[0].sku, or key, header:NAME, partition, offset or timestamp',
        }),
      }),
    ),
    type: FieldType(
      "string, uuid, boolean, integer, bigint, double, decimal(p,s), timestamp (ISO 8601, or a number since 1970 in unit), date or json. Decimals of more than 15 digits come as JSON strings.",
    ),
    nullable: Type.Boolean({ default: false, description: "Whether the field may be null or missing." }),
    unit: Type.Optional(TimeUnit),
  },
  {
    description: "A field of the topic's events.",
    ...rules({
      rule: "!has(self.unit) || self.type == 'timestamp'",
      message: "unit is of fields of type timestamp: remove it, or set that type",
    }),
  },
);
export type Field = Static<typeof Field>;

export const Topic = Type.Object(
  {
    name: TopicName("Name of the topic in Kafka."),
    managed: Type.Boolean({
      default: true,
      description: "false: the topic exists already and is only read and written, never changed.",
    }),
    partitions: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 10_000,
        description: "Number of partitions, 3 by default; it may grow and never shrink.",
      }),
    ),
    replicas: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 32,
        description: "Replicas of each partition; the broker's default otherwise.",
      }),
    ),
    config: Type.Optional(
      Type.Record(Type.String({ maxLength: 128 }), Type.String({ maxLength: 4096 }), {
        maxProperties: 64,
        description: "Settings of the topic, as Kafka names them, with values as strings.",
      }),
    ),
    key: Type.Optional(Type.String({ minLength: 1, maxLength: 63, description: "Field that is the record's key." })),
    timestamp: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 63,
        description: "Field of type timestamp that is the event time; the record's own otherwise.",
      }),
    ),
    fields: Type.Optional(listMap(Field, { maxItems: 256, minItems: 1, description: "The events' schema." })),
  },
  {
    description: "A topic that stages read and write.",
    ...rules(
      { rule: "self.name != '.' && self.name != '..'", message: "a topic cannot be named . or .." },
      {
        rule: "self.managed || (!has(self.partitions) && !has(self.replicas) && !has(self.config))",
        message: "a topic with managed: false is never changed: remove its partitions, replicas and config",
      },
      {
        rule: "!has(self.key) || (has(self.fields) && self.fields.exists(f, f.name == self.key))",
        message: "key must name one of the topic's fields",
      },
      {
        rule: "!has(self.timestamp) || (has(self.fields) && self.fields.exists(f, f.name == self.timestamp))",
        message: "timestamp must name one of the topic's fields of type timestamp",
      },
      {
        rule: "!has(oldSelf.partitions) || (has(self.partitions) ? self.partitions >= oldSelf.partitions : !self.managed)",
        message: "partitions may grow and never shrink: Kafka cannot remove them; use a new topic",
      },
    ),
  },
);
export type Topic = Static<typeof Topic>;
