import { type Static, Type } from "typebox";
import { CaSecretRef, DatabaseSecretRef, LocalRef, ObjectName, Quantity, Resources, rules, Worded } from "./common.ts";

export const DatabaseSpec = Type.Object(
  {
    name: Type.Optional(
      Worded({
        pattern: "^[a-z_][a-z0-9_-]{0,62}$",
        ...{ minLength: 1, maxLength: 63 },
        description: "Name of the database; the pipeline's name by default, with - as _.",
        write: "write small letters, digits, dashes and underscores, no digit or dash first, such as events_storage",
      }),
    ),
    cluster: Type.Optional(
      Type.Object(
        {
          instances: Type.Integer({ minimum: 1, maximum: 9, default: 1, description: "PostgreSQL instances." }),
          storage: Type.Object(
            {
              size: Quantity,
              storageClass: Type.Optional(ObjectName("StorageClass of the volumes; the cluster's default otherwise.")),
            },
            { description: "Volume of each instance." },
          ),
          imageName: Type.Optional(
            Type.String({ minLength: 1, maxLength: 512, description: "Image of PostgreSQL, version 15 or newer." }),
          ),
          resources: Type.Optional(Resources),
          synchronous: Type.Optional(
            Type.Object(
              {
                method: Type.Union([Type.Literal("any"), Type.Literal("first")], {
                  default: "any",
                  description: "How the standbys are chosen.",
                }),
                number: Type.Integer({
                  minimum: 0,
                  maximum: 8,
                  description: "Standbys that confirm each commit; 0: none, and a failover may lose the last commits.",
                }),
              },
              {
                description:
                  "Standbys for which each commit waits, so that a failover loses nothing: with two instances or more, one of any by default.",
              },
            ),
          ),
        },
        { description: "A CloudNativePG Cluster of this pipeline's own, named <pipeline>-db." },
      ),
    ),
    clusterRef: Type.Optional(
      LocalRef("An existing CloudNativePG Cluster in which the pipeline gets a role and a database."),
    ),
    secretRef: Type.Optional(DatabaseSecretRef("Secret of any PostgreSQL 15 or newer,")),
    caSecretRef: Type.Optional(
      CaSecretRef("the database (without: that of CloudNativePG's own authority, for cluster and clusterRef)"),
    ),
  },
  {
    description:
      "Where results are kept: exactly one of cluster, clusterRef and secretRef. Which one, and the name, cannot be changed.",
    ...rules(
      {
        rule: "[has(self.cluster), has(self.clusterRef), has(self.secretRef)].filter(x, x).size() == 1",
        message: "set exactly one of database.cluster, database.clusterRef and database.secretRef",
      },
      {
        rule: "!has(self.secretRef) || !has(self.name)",
        message: "database.name cannot be set with secretRef: the secret's dbname names the database",
      },
      {
        rule: "has(self.name) == has(oldSelf.name) && (!has(self.name) || self.name == oldSelf.name)",
        message: "database.name cannot be changed: create another pipeline for another database",
      },
      {
        rule: "has(self.cluster) == has(oldSelf.cluster) && has(self.clusterRef) == has(oldSelf.clusterRef) && (!has(self.clusterRef) || self.clusterRef == oldSelf.clusterRef) && (!has(self.secretRef) || self.secretRef == oldSelf.secretRef)",
        message: "the place of the database cannot be changed: create another pipeline for another one",
      },
    ),
  },
);
export type DatabaseSpec = Static<typeof DatabaseSpec>;
