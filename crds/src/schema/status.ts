import { type Static, Type } from "typebox";
import { listMap } from "./common.ts";

export const CONDITION_TYPES = [
  "Ready",
  "ConfigValid",
  "TopicsReady",
  "DatabaseReady",
  "WorkloadsReady",
  "Healthy",
] as const;
export type ConditionType = (typeof CONDITION_TYPES)[number];

export const Condition = Type.Object({
  type: Type.String({ maxLength: 316, description: "Name of the condition." }),
  status: Type.Union([Type.Literal("True"), Type.Literal("False"), Type.Literal("Unknown")], {
    description: "Whether it holds.",
  }),
  reason: Type.String({
    minLength: 1,
    maxLength: 1024,
    pattern: "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
    description: "Why, in one CamelCase word.",
  }),
  message: Type.String({ maxLength: 32768, description: "Why, for people, with the next step." }),
  observedGeneration: Type.Optional(Type.Integer({ minimum: 0, description: "The generation that was looked at." })),
  lastTransitionTime: Type.String({ format: "date-time", description: "When the status changed last." }),
});
export type Condition = Static<typeof Condition>;

export const StageSummary = Type.Object({
  name: Type.String({ maxLength: 63, description: "Name of the stage." }),
  role: Type.String({ maxLength: 32, description: "generator, source, transform or aggregator." }),
  state: Type.String({
    maxLength: 32,
    description: "Pending, Running, Draining, Suspended, Completed, Failed or Unknown.",
  }),
  replicas: Type.Integer({ description: "Pods that its Deployment asks for." }),
  readyReplicas: Type.Integer({ description: "Pods ready." }),
  lag: Type.Optional(
    Type.String({
      maxLength: 16,
      description:
        "Events not yet in the results, on a coarse scale: 0, <1k, <10k, <100k, <1M and so on. Left out while it is not known; message says why.",
    }),
  ),
  undecided: Type.Optional(
    Type.String({
      maxLength: 16,
      description:
        "Records, on the scale of lag, behind transactions that have been open for minutes: they are no lag, for nobody can read them yet. Healthy says which.",
    }),
  ),
  slot: Type.Optional(
    Type.Object(
      {
        wal: Type.String({
          maxLength: 16,
          description:
            "Whether the server still has what the slot needs: reserved, extended (more than max_wal_size), unreserved (about to go) or lost; none where there is no slot.",
        }),
        retained: Type.String({
          maxLength: 16,
          description:
            "Write-ahead log that the server keeps for it, on a coarse scale: <16Mi, <64Mi, <256Mi, <1Gi and so on.",
        }),
        behind: Type.String({ maxLength: 16, description: "Log that the stage has not sent yet, on the same scale." }),
      },
      { description: "Of a source in cdc mode: its replication slot." },
    ),
  ),
  message: Type.Optional(Type.String({ maxLength: 4096, description: "What blocks the stage." })),
  columns: Type.Optional(
    Type.Array(
      Type.Object({
        name: Type.String({ maxLength: 63, description: "Name of the column." }),
        type: Type.String({ maxLength: 64, description: "Its type in PostgreSQL." }),
      }),
      {
        maxItems: 512,
        "x-kubernetes-list-type": "atomic",
        description: "Of a transform: what its outputs get, as inferred from its SQL.",
      },
    ),
  ),
});
export type StageSummary = Static<typeof StageSummary>;

const topicName = Type.String({ maxLength: 249, description: "Name of the topic in Kafka." });
const topicId = (description: string) => Type.String({ maxLength: 64, description });
const ends = Type.Optional(
  Type.Array(Type.Integer(), {
    maxItems: 1024,
    description: "By partition from 0 on, the offset at which it ended when it was seen last; -1: not known.",
  }),
);

export const KnownTopic = Type.Object({
  name: topicName,
  id: topicId("The id that Kafka gave it when it was made."),
  ends,
});

export const LostTopic = Type.Object({
  name: topicName,
  ids: Type.Array(topicId("Kafka's id."), {
    maxItems: 16,
    description: "Ids under which it was lost, the latest last.",
  }),
  newId: topicId("Id of the topic that has its name now."),
  since: Type.String({ format: "date-time", description: "When the first of these losses was seen." }),
  at: Type.String({ format: "date-time", description: "When the last of them was seen." }),
  offsets: Type.Optional(Type.Integer({ description: "How many offsets the one that was lost last had." })),
  ends,
  unread: Type.Optional(
    Type.Array(
      Type.Object({
        stage: Type.String({ maxLength: 63, description: "Name of a stage." }),
        offsets: Type.Integer({ description: "How many of the offsets it had still to read." }),
      }),
      { maxItems: 160, description: "What stages had still to read of it." },
    ),
  ),
});

export const PipelineStatus = Type.Object(
  {
    observedGeneration: Type.Optional(
      Type.Integer({ minimum: 0, description: "The generation that this status is about." }),
    ),
    conditions: Type.Optional(
      listMap(Condition, { key: "type", maxItems: 16, description: "What holds: Ready sums up." }),
    ),
    stages: Type.Optional(listMap(StageSummary, { maxItems: 160, description: "Each stage." })),
    stagesReady: Type.Optional(Type.String({ maxLength: 16, description: "Ready stages of all, such as 2/2." })),
    lag: Type.Optional(Type.String({ maxLength: 16, description: "Largest lag of a stage." })),
    topics: Type.Optional(
      listMap(KnownTopic, { maxItems: 1024, description: "Topics of the spec, as they were seen last." }),
    ),
    lostTopics: Type.Optional(
      listMap(LostTopic, {
        maxItems: 1024,
        description: "Topics that were deleted and made again empty; each stays until it is acknowledged.",
      }),
    ),
    released: Type.Optional(
      Type.Array(
        Type.Object({
          kind: Type.String({ maxLength: 63, description: "Kind of the object." }),
          name: Type.String({ maxLength: 253, description: "Its name." }),
        }),
        {
          maxItems: 512,
          "x-kubernetes-list-type": "atomic",
          description: "Topics and databases that left the spec and were kept.",
        },
      ),
    ),
  },
  { description: "What the operator sees." },
);
export type PipelineStatus = Static<typeof PipelineStatus>;
