import { type Static, Type } from "typebox";
import { Duration, listMap, Replicas, rules, stageFields, TopicName, Worded } from "./common.ts";

const text = (description: string) => Type.String({ maxLength: 1024, description });

export const GeneratorValue = Type.Object(
  {
    field: Type.String({ minLength: 1, maxLength: 63, description: "The field of the topic that gets this value." }),
    nulls: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1,
        description: "Share of events in which the field is null; the field must be nullable.",
      }),
    ),
    constant: Type.Optional(text("Always this value, read as the field's type.")),
    choice: Type.Optional(
      Type.Object(
        {
          from: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: 1_000_000_000,
              description: "Chooses among the numbers 1 to from; in a field of type uuid, among as many UUIDs.",
            }),
          ),
          prefix: Type.Optional(text("Text before the number.")),
          values: Type.Optional(
            Type.Array(text("A value."), {
              minItems: 1,
              maxItems: 1024,
              "x-kubernetes-list-type": "atomic",
              description: "Chooses among these values.",
            }),
          ),
          distribution: Type.Union([Type.Literal("uniform"), Type.Literal("zipf")], {
            default: "uniform",
            description: "zipf: early ones far more often.",
          }),
        },
        {
          description: "One of many values.",
          ...rules({
            rule: "has(self.from) != has(self.values)",
            message: "set exactly one of choice.from and choice.values",
          }),
        },
      ),
    ),
    weighted: Type.Optional(
      Type.Array(
        Type.Object({
          value: text("The value, read as the field's type."),
          weight: Type.Number({ exclusiveMinimum: 0, maximum: 1e9, description: "How often, relative to the others." }),
        }),
        {
          minItems: 1,
          maxItems: 1024,
          "x-kubernetes-list-type": "atomic",
          description: "One of these values, by weight.",
        },
      ),
    ),
    uniform: Type.Optional(
      Type.Object(
        { min: Type.Number({ description: "Smallest value." }), max: Type.Number({ description: "Largest value." }) },
        {
          description: "A number between min and max.",
          ...rules({ rule: "self.min <= self.max", message: "uniform.min must not exceed uniform.max" }),
        },
      ),
    ),
    normal: Type.Optional(
      Type.Object(
        {
          mean: Type.Number({ description: "Mean." }),
          stddev: Type.Number({ minimum: 0, description: "Standard deviation." }),
          min: Type.Optional(Type.Number({ description: "Smaller values become this one." })),
          max: Type.Optional(Type.Number({ description: "Larger values become this one." })),
        },
        { description: "A normally distributed number." },
      ),
    ),
    lognormal: Type.Optional(
      Type.Object(
        {
          median: Type.Number({ exclusiveMinimum: 0, description: "Half of the values are below it." }),
          sigma: Type.Number({
            minimum: 0,
            maximum: 10,
            description: "Spread: at 1, two thirds of the values are between median / 2.7 and median * 2.7.",
          }),
          min: Type.Optional(Type.Number({ description: "Smaller values become this one." })),
          max: Type.Optional(Type.Number({ description: "Larger values become this one." })),
        },
        { description: "A number as amounts of money are: most are small, and a few are very large." },
      ),
    ),
    sequence: Type.Optional(
      Type.Object(
        {
          start: Type.Integer({ default: 1, description: "Value of the first event." }),
          step: Type.Integer({ default: 1, description: "Difference from one event to the next." }),
          prefix: Type.Optional(text("Text before the number.")),
        },
        { description: "Counts the events." },
      ),
    ),
    uuid: Type.Optional(Type.Object({}, { description: "A random UUID (version 4), from the seed." })),
    fake: Type.Optional(
      Worded({
        pattern: "^[a-z][A-Za-z]{0,30}[.][a-z][A-Za-z]{0,40}$",
        maxLength: 72,
        description:
          "A realistic value by the name that the faker library gives it, such as person.fullName or internet.email.",
        write: "write a module and a method of the faker library with a dot between, such as person.fullName",
      }),
    ),
    now: Type.Optional(
      Type.Object(
        { jitter: Type.Optional(Duration("Up to this much earlier.")) },
        { description: "The time of the clock." },
      ),
    ),
    time: Type.Optional(
      Type.Object(
        {
          start: Type.String({ format: "date-time", maxLength: 40, description: "Time of the first event, ISO 8601." }),
          step: Duration("Difference from one event to the next."),
          jitter: Type.Optional(Duration("Up to this much earlier.")),
        },
        {
          description:
            "A time that depends on the event's number alone, so that a seed gives the same events on any day.",
        },
      ),
    ),
  },
  {
    description: "How one field's values are made: exactly one kind.",
    ...rules({
      rule: "[has(self.constant), has(self.choice), has(self.weighted), has(self.uniform), has(self.normal), has(self.lognormal), has(self.sequence), has(self.uuid), has(self.fake), has(self.now), has(self.time)].filter(x, x).size() == 1",
      message:
        "set exactly one of constant, choice, weighted, uniform, normal, lognormal, sequence, uuid, fake, now and time",
    }),
  },
);
export type GeneratorValue = Static<typeof GeneratorValue>;

export const Generator = Type.Object(
  {
    ...stageFields,
    topic: TopicName("The declared topic to write to; its fields say what an event holds."),
    interval: Type.Optional(Duration("A burst of count events every interval.")),
    count: Type.Integer({ minimum: 1, maximum: 1_000_000, default: 1, description: "Events in a burst." }),
    rate: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        maximum: 10_000_000,
        description: "Events per second, of all replicas together.",
      }),
    ),
    seed: Type.Integer({
      minimum: 0,
      maximum: 9_007_199_254_740_991,
      default: 1,
      description: "The same seed gives the same values.",
    }),
    limit: Type.Integer({
      minimum: 0,
      maximum: 9_007_199_254_740_991,
      default: 0,
      description: "Events in all; 0: for ever. When reached, the stage is Completed.",
    }),
    values: Type.Optional(
      listMap(GeneratorValue, {
        key: "field",
        maxItems: 256,
        description: "How values are made; a field that is not named gets a sensible value for its type and name.",
      }),
    ),
    replicas: Replicas,
  },
  {
    description: "Writes made-up events to a topic.",
    ...rules({
      rule: "has(self.interval) != has(self.rate)",
      message: "set exactly one of interval (with count) and rate",
    }),
  },
);
export type Generator = Static<typeof Generator>;
