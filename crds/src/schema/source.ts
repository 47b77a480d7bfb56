import { type Static, Type } from "typebox";
import {
  CaSecretRef,
  DatabaseSecretRef,
  Duration,
  Name,
  rules,
  stageFields,
  TableName,
  TopicName,
  Worded,
} from "./common.ts";

export const WAL_SIZE_PATTERN = "^[1-9][0-9]{0,5}(Mi|Gi|Ti)$";

export const PostgresSource = Type.Object(
  {
    connectionSecretRef: DatabaseSecretRef("Secret of the database to read, PostgreSQL 15 or newer,"),
    caSecretRef: Type.Optional(CaSecretRef("the database")),
    table: TableName("The table. Columns of the names of the topic's fields are read, as the fields' types."),
    mode: Type.Union([Type.Literal("timestamp"), Type.Literal("cdc")], {
      description:
        "timestamp: asks for rows by a column that every insert and update sets. cdc: logical replication, with inserts, updates and deletes as they are committed.",
    }),
    keyColumns: Type.Optional(
      Type.Array(Name("A column; the topic has a field of its name."), {
        minItems: 1,
        maxItems: 16,
        "x-kubernetes-list-type": "atomic",
        description: "Columns that identify a row; the primary key by default.",
      }),
    ),
    timestampColumn: Type.Optional(
      Name("timestamp mode: the column of type timestamptz or timestamp that every insert and update sets."),
    ),
    pollInterval: Type.Optional(Duration("timestamp mode: pause between two looks at the table; 500ms by default.")),
    lookback: Type.Optional(
      Duration(
        "timestamp mode: how much older than the start of its transaction a row's timestamp may be, for clocks that differ and values that were computed beforehand; 30s by default.",
      ),
    ),
    operationField: Type.Optional(
      Name(
        "cdc mode: the topic's field of type string that gets snapshot, insert, update or delete. A delete is then an event with the row's key and null in the other fields; without it, a record with the key and no value.",
      ),
    ),
    onTruncate: Type.Optional(
      Type.Union([Type.Literal("Stop"), Type.Literal("Ignore")], {
        description:
          "cdc mode: TRUNCATE says nothing of the rows that it removes, nor does a partition that is detached or dropped. Stop (default): the stage stops there and says so. Ignore: it is counted and passed over.",
      }),
    ),
    onInheritance: Type.Optional(
      Type.Union([Type.Literal("Stop"), Type.Literal("Ignore")], {
        description:
          "When other tables inherit from the table, whose key says nothing of their rows. Stop (default): the stage does not run. Ignore: the rows of the table itself are sent, as select … from only gives them. Partitions always belong to their table.",
      }),
    ),
    maxRetainedWal: Type.Optional(
      Worded({
        pattern: WAL_SIZE_PATTERN,
        maxLength: 8,
        write: "write a whole number and Mi, Gi or Ti, such as 10Gi",
        description:
          "cdc mode: when Kafka takes nothing for a minute and the slot keeps more write-ahead log than this on the database's disk, the slot is given up. A number and Mi, Gi or Ti; 10Gi by default.",
      }),
    ),
    resync: Type.Integer({
      minimum: 0,
      maximum: 1_000_000,
      default: 0,
      description: "Raise it to have the whole table read and sent again: after a lost slot or a restored backup.",
    }),
  },
  {
    description: "A table of PostgreSQL.",
    ...rules(
      {
        rule: "self.mode != 'timestamp' || has(self.timestampColumn)",
        message: "mode: timestamp needs timestampColumn, the column that every insert and update sets",
      },
      {
        rule: "self.mode == 'timestamp' || (!has(self.timestampColumn) && !has(self.pollInterval) && !has(self.lookback))",
        message: "timestampColumn, pollInterval and lookback are of mode: timestamp; remove them, or set that mode",
      },
      {
        rule: "self.mode == 'cdc' || (!has(self.operationField) && !has(self.onTruncate) && !has(self.maxRetainedWal))",
        message: "operationField, onTruncate and maxRetainedWal are of mode: cdc; remove them, or set that mode",
      },
    ),
  },
);
export type PostgresSource = Static<typeof PostgresSource>;

export const Source = Type.Object(
  {
    ...stageFields,
    topic: TopicName(
      "The declared topic to write to, keyed by the table's key; its fields say which columns are read.",
    ),
    postgres: PostgresSource,
    deadLetterTopic: Type.Optional(
      TopicName(
        "Topic for rows that do not fit the topic's fields or its max.message.bytes; <pipeline>-<stage>-dlq by default, with 1 partition, kept for 14 days.",
      ),
    ),
  },
  { description: "Sends the rows of a table, and their changes, to a topic." },
);
export type Source = Static<typeof Source>;
