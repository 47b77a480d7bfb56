import { type Static, Type } from "typebox";
import { LocalRef, ObjectName, rules, Worded } from "./common.ts";

export const KafkaSpec = Type.Object(
  {
    clusterRef: Type.Optional(
      Type.Object(
        {
          name: ObjectName("Name of a Strimzi Kafka in the pipeline's namespace."),
          listener: Type.String({
            maxLength: 11,
            default: "plain",
            description: "One of its status.listeners.",
            ...rules({
              rule: "self.matches('^[a-z0-9]{1,11}$')",
              message: "a listener's name has small letters and digits, at most 11, such as plain",
            }),
          }),
        },
        { description: "A Strimzi Kafka of this namespace; topics are made as KafkaTopic resources." },
      ),
    ),
    external: Type.Optional(
      Type.Object(
        {
          bootstrapServers: Worded({
            pattern: "^[][A-Za-z0-9_.:-]+(,[][A-Za-z0-9_.:-]+)*$",
            ...{ minLength: 3, maxLength: 4096 },
            description: "host:port of one or more brokers, separated by commas.",
            write:
              "write host:port of each broker with commas between and no spaces, such as a.example:9092,b.example:9092",
          }),
          tls: Type.Optional(
            Type.Object(
              {
                caSecretRef: Type.Optional(
                  LocalRef("Secret with the key ca.crt; without it the system's authorities are trusted."),
                ),
              },
              { description: "Speaks TLS to the brokers." },
            ),
          ),
          authentication: Type.Optional(
            Type.Object(
              {
                type: Type.Union(
                  [Type.Literal("scram-sha-512"), Type.Literal("scram-sha-256"), Type.Literal("plain")],
                  { description: "SASL mechanism." },
                ),
                secretRef: LocalRef("Secret with the keys username and password."),
              },
              { description: "How to log in." },
            ),
          ),
        },
        { description: "Brokers that no operator of this cluster manages; every topic must exist (managed: false)." },
      ),
    ),
  },
  {
    description: "Where the topics are: exactly one of clusterRef and external. Cannot be changed.",
    ...rules(
      {
        rule: "has(self.clusterRef) != has(self.external)",
        message: "set exactly one of kafka.clusterRef and kafka.external",
      },
      { rule: "self == oldSelf", message: "spec.kafka cannot be changed: create another pipeline for another Kafka" },
    ),
  },
);
export type KafkaSpec = Static<typeof KafkaSpec>;
