import { type Static, Type } from "typebox";
import { Duration, listMap, Replicas, rules, SqlExpression, stageFields, TableName, TopicName } from "./common.ts";

export const Window = Type.Object(
  {
    tumbling: Type.Optional(
      Type.Object({ size: Duration("Length of each window.") }, { description: "Windows side by side." }),
    ),
    hopping: Type.Optional(
      Type.Object(
        {
          size: Duration("Length of each window."),
          advance: Duration("Distance from one window's start to the next; at most size."),
        },
        { description: "Windows that overlap." },
      ),
    ),
    session: Type.Optional(
      Type.Object(
        { gap: Duration("Longest time between two neighbouring events of one session.") },
        { description: "Runs of events of a group, each ended by a time without any." },
      ),
    ),
  },
  {
    description:
      "How event time is cut into windows; an event belongs to [start, end). Tumbling and hopping windows are aligned to 1970-01-01 UTC, sessions begin with their first event.",
    ...rules({
      rule: "[has(self.tumbling), has(self.hopping), has(self.session)].exists_one(form, form)",
      message: "set exactly one of window.tumbling, window.hopping and window.session",
    }),
  },
);
export type Window = Static<typeof Window>;

export const Table = Type.Object(
  {
    name: TableName("The table in PostgreSQL."),
    window: Window,
    where: Type.Optional(
      SqlExpression("SQL condition over the event's fields: other events do not count in this table."),
    ),
    groupBy: Type.Array(SqlExpression("A field, or `expression as name`."), {
      maxItems: 32,
      default: [],
      "x-kubernetes-list-type": "atomic",
      description: "What makes a row besides its window: fields, or `expression as name`.",
    }),
    aggregates: Type.Array(
      SqlExpression("`count(*) as name`, or sum, avg, min, max or count of an expression, with `as name`."),
      {
        minItems: 1,
        maxItems: 64,
        "x-kubernetes-list-type": "atomic",
        description: "What is computed: count, sum, avg, min and max, each with `as name`.",
      },
    ),
    emit: Type.Optional(
      Type.Object(
        {
          final: Type.Object(
            {
              topic: TopicName("The declared topic that gets them, keyed by their groups."),
              revisions: Type.Boolean({
                default: false,
                description:
                  "true: a final row that an event still changes is sent again, with a higher `revision`. Needed with lateEvents: Update and with hopping windows.",
              }),
            },
            { description: "Sends each row once when the watermark has passed the end of its window." },
          ),
        },
        { description: "Rows that also go to a topic." },
      ),
    ),
    retention: Type.Optional(
      Duration("How long a row stays after the end of its window, measured by the watermark; for ever without."),
    ),
  },
  { description: "A table of results, one row per window and group." },
);
export type Table = Static<typeof Table>;

export const Aggregator = Type.Object(
  {
    ...stageFields,
    topic: TopicName("The declared topic to read; it is read once, however many tables there are."),
    where: Type.Optional(SqlExpression("SQL condition over the event's fields: other events are left out.")),
    watermark: Type.Object(
      {
        maxDelay: Duration("How late an event may come before it counts as late.", { default: "10s" }),
        idleTimeout: Duration("A partition without new events holds nothing back after this time.", { default: "1m" }),
        maxAhead: Duration("An event further ahead of its record's time than this is a dead letter.", {
          default: "5m",
        }),
      },
      { default: {}, description: "How event time advances." },
    ),
    lateEvents: Type.Union([Type.Literal("Update"), Type.Literal("DeadLetter"), Type.Literal("Drop")], {
      default: "Update",
      description:
        "What becomes of late events: Update revises their row, DeadLetter and Drop leave it. They are always counted.",
    }),
    deadLetterTopic: Type.Optional(
      TopicName(
        "Topic for events that cannot be read; <pipeline>-<stage>-dlq by default, with 1 partition, kept for 14 days.",
      ),
    ),
    tables: listMap(Table, { minItems: 1, maxItems: 32, description: "The tables that are computed." }),
    replicas: Replicas,
  },
  {
    description: "Keeps exact aggregates of a topic in PostgreSQL.",
    ...rules(
      {
        rule: "self.lateEvents != 'Update' || self.tables.all(t, !has(t.emit) || t.emit.final.revisions)",
        message:
          "with lateEvents: Update a late event changes a row that was sent as final: set emit.final.revisions: true, or lateEvents: DeadLetter or Drop",
        fieldPath: ".tables",
      },
      {
        rule: "self.tables.all(t, !has(t.emit) || !has(t.window.hopping) || t.emit.final.revisions)",
        message:
          "an event that comes in time for one hopping window may be late for another that was sent as final: set emit.final.revisions: true",
        fieldPath: ".tables",
      },
      {
        rule: "self.lateEvents != 'Update' || self.tables.all(t, !has(t.emit) || !has(t.window.session))",
        message:
          "a late event may join two sessions that were sent as final: set lateEvents: DeadLetter or Drop, or leave out emit",
        fieldPath: ".tables",
      },
      {
        rule: "self.tables.all(t, !has(t.emit) || t.emit.final.topic != self.topic)",
        message: "a stage cannot send its rows to the topic that it reads: name another in emit.final.topic",
        fieldPath: ".tables",
      },
    ),
  },
);
export type Aggregator = Static<typeof Aggregator>;
