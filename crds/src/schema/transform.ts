import { type Static, Type } from "typebox";
import {
  CaSecretRef,
  ColumnName,
  DatabaseSecretRef,
  DnsLabel,
  Duration,
  listMap,
  Name,
  Replicas,
  rules,
  SqlExpression,
  stageFields,
  TableName,
  TopicName,
} from "./common.ts";
import { FieldType } from "./topic.ts";
import { FilesOutput, RedisOutput } from "./transform-outputs.ts";

export const LookupColumn = Type.Object(
  {
    name: Name("Name of the column in the table, and in SQL behind the lookup's name and a point."),
    type: FieldType("Its type, as types of fields are written; the table's own is cast to it."),
  },
  { description: "A column that SQL may use." },
);

export const Lookup = Type.Object(
  {
    name: ColumnName("Name in SQL: a column is `name.column`."),
    table: TableName("The table or view in PostgreSQL."),
    connectionSecretRef: Type.Optional(
      DatabaseSecretRef(
        "Secret of its database (the pipeline's own database without it), as CloudNativePG's -app secret,",
      ),
    ),
    caSecretRef: Type.Optional(CaSecretRef("the database of connectionSecretRef")),
    match: Type.Record(Type.String({ maxLength: 63 }), Type.String({ minLength: 1, maxLength: 63 }), {
      minProperties: 1,
      maxProperties: 4,
      description:
        "Which row belongs to an event: each column of the table, and the field of the event that it equals. At most one row may; without one, the columns are NULL.",
    }),
    columns: listMap(LookupColumn, { minItems: 1, maxItems: 32, description: "The columns that SQL may use." }),
    refresh: Duration("How often the table is read again.", { default: "10s" }),
    maxRows: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 100_000,
      description: "Rows that the table may have: they are held in memory.",
    }),
  },
  { description: "A table of PostgreSQL beside the events, read again and again." },
);
export type Lookup = Static<typeof Lookup>;

export const TableOutput = Type.Object(
  {
    name: TableName("The table in PostgreSQL."),
    key: Type.Optional(
      Type.Array(Name("A column of the select."), {
        minItems: 1,
        maxItems: 8,
        "x-kubernetes-list-type": "atomic",
        description:
          "Columns that make a row: a later event with the same ones replaces it. Without a key each event is a row.",
      }),
    ),
  },
  { description: "A table of the pipeline's database. One that does not exist is made." },
);
export type TableOutput = Static<typeof TableOutput>;

/** The ways an output may go; exactly one is set. */
const destinations = {
  topic: Type.Optional(TopicName("The declared topic that gets the events, each exactly once.")),
  table: Type.Optional(TableOutput),
  redis: Type.Optional(RedisOutput),
  files: Type.Optional(FilesOutput),
};

export const Output = Type.Object(
  { name: DnsLabel(30, "Name of the output, unique in the stage: its progress is kept under it."), ...destinations },
  {
    description:
      "Where the events go. Each output has progress of its own: one that cannot be reached holds up no other.",
    ...rules({
      rule: `[${Object.keys(destinations)
        .map((name) => `has(self.${name})`)
        .join(", ")}].exists_one(way, way)`,
      message: `set exactly one of ${Object.keys(destinations).join(", ")}`,
    }),
  },
);
export type Output = Static<typeof Output>;

export const Transform = Type.Object(
  {
    ...stageFields,
    topic: TopicName("The declared topic to read."),
    where: Type.Optional(SqlExpression("SQL condition over the event's fields: other events are left out.")),
    select: Type.Optional(
      Type.Array(SqlExpression("`*` for all declared fields, a field, or `expression as name`."), {
        minItems: 1,
        maxItems: 256,
        "x-kubernetes-list-type": "atomic",
        description:
          "What is passed on: `*` for all declared fields, fields, and `expression as name`. Without it the events go on as they are, byte for byte.",
      }),
    ),
    lookups: Type.Optional(
      listMap(Lookup, { maxItems: 8, description: "Tables of PostgreSQL that the SQL may use beside the event." }),
    ),
    deadLetterTopic: Type.Optional(
      TopicName(
        "Topic for events that cannot be read or written; <pipeline>-<stage>-dlq by default, with 1 partition, kept for 14 days.",
      ),
    ),
    to: listMap(Output, { minItems: 1, maxItems: 16, description: "Where the events go." }),
    replicas: Replicas,
  },
  {
    description: "Filters events and computes new ones from each, and writes them to topics and tables.",
    ...rules(
      {
        rule: "!has(self.lookups) || self.lookups.size() == 0 || self.to.size() == 1",
        message:
          "what a lookup says depends on when it is asked, so two outputs could disagree: let this stage write to one topic, and another transform read that topic and write to all the others",
        fieldPath: ".to",
      },
      {
        rule: "self.to.all(o, !has(o.topic) || o.topic != self.topic)",
        message: "a stage cannot write to the topic that it reads: name another in to",
        fieldPath: ".to",
      },
    ),
  },
);
export type Transform = Static<typeof Transform>;
