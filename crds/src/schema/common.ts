import { type TSchema, Type } from "typebox";
import { NAME_PATTERN, TABLE_PATTERN } from "../identifiers.ts";
import { mark } from "../marked.ts";

/** A CEL rule of the API server; `messageExpression` is left out where a fixed sentence says enough. */
export interface Rule {
  rule: string;
  message: string;
  messageExpression?: string;
  fieldPath?: string;
}

/** Adds CEL rules to a schema. */
export function rules(...list: Rule[]): { "x-kubernetes-validations": Rule[] } {
  return { "x-kubernetes-validations": list };
}

/** A list that the API server merges by `name` (or another key) instead of replacing it whole. */
export function listMap<T extends TSchema>(
  item: T,
  options: { key?: string; maxItems: number; minItems?: number; description: string },
) {
  const { key = "name", ...rest } = options;
  return Type.Array(item, { ...rest, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key] });
}

export const SqlExpression = (description: string) => Type.String({ minLength: 1, maxLength: 4096, description });

/** Text or number for the API server: what is no duration is told by the operator, with what to write instead. */
export const Duration = (description: string, options: { default?: string } = {}) =>
  Type.Unsafe<string>({
    anyOf: [{ type: "integer" }, { type: "string" }],
    "x-kubernetes-int-or-string": true,
    maxLength: 64,
    ...mark("duration"),
    description: `${description} A number and a unit: 500ms, 90s, 5m, 12h or 30d.`,
    ...options,
  });

/** A CEL text of a regular expression. */
const celText = (pattern: string) => `'${pattern.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;

interface Worded {
  /** A regular expression that the whole text fits. */
  readonly pattern: string;
  readonly minLength?: number;
  readonly maxLength: number;
  readonly description: string;
  /** What fits, and an example of it: a person who reads it sees no regular expression. */
  readonly write: string;
}

/** A text of a form. The API server says of another one what to write, in words. */
export const Worded = ({ pattern, write, ...options }: Worded) =>
  Type.String({
    ...options,
    ...rules({
      rule: `self.matches(${celText(pattern)})`,
      message: write,
      messageExpression: `'"' + self + '" does not fit: ' + ${celText(write)}`,
    }),
  });

/** DNS label of at most `maxLength` characters that begins with a letter. */
export const DnsLabel = (maxLength: number, description: string) =>
  Worded({
    pattern: "^[a-z]([-a-z0-9]*[a-z0-9])?$",
    ...{ minLength: 1, maxLength, description },
    write: "write small letters, digits and dashes, a letter first and no dash last, such as hourly-sums",
  });

export const ObjectName = (description: string) =>
  Worded({
    pattern: "^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$",
    ...{ minLength: 1, maxLength: 253, description },
    write:
      "names in Kubernetes have small letters, digits, dashes and dots, and neither dash nor dot at an end, such as my-name",
  });

export const TopicName = (description: string) =>
  Worded({
    pattern: "^[A-Za-z0-9._-]{1,249}$",
    ...{ minLength: 1, maxLength: 249, description },
    write: "topics in Kafka have letters, digits, dots, dashes and underscores in their names, such as app-events",
  });

/** Name that is used in SQL alone. */
export const ColumnName = (description: string) =>
  Worded({
    pattern: "^[a-z_][a-z0-9_]{0,47}$",
    ...{ minLength: 1, maxLength: 48, description },
    write: "write small letters, digits and underscores, no digit first, such as account_limits",
  });

/** Name of a field or column, to the letter: whatever PostgreSQL allows. */
export const Name = (description: string) =>
  Type.String({
    minLength: 1,
    // Longer than a name may be, so that the rule below says why.
    maxLength: 128,
    description,
    ...rules(
      {
        rule: `self.matches(${celText(NAME_PATTERN)})`,
        message: "a name has no control characters and does not begin with #, as the engine's own do: write another",
      },
      {
        rule: "size(bytes(self)) <= 63",
        message: "PostgreSQL cuts names off behind 63 bytes: write a shorter one",
      },
    ),
  });

const MAX_TABLE_LENGTH = 257;
/** A table of PostgreSQL as SQL writes it, with its schema or without. */
export const TableName = (description: string) =>
  Type.String({
    minLength: 1,
    maxLength: MAX_TABLE_LENGTH,
    description: `${description} As SQL writes it: orders, sales.orders, "Order Details" or "Sales-2026"."Order Details"; of schema public without one. Letters stay as they are written.`,
    ...rules({
      rule: `self.matches(${celText(TABLE_PATTERN)})`,
      message: "what has spaces, dashes and the like needs double quotes, as in SQL",
      messageExpression: `self + ' is no name of a table: what has spaces, dashes and the like needs double quotes, as in SQL: write "' + self + '", or schema."' + self + '"'`,
    }),
  });

export const LocalRef = (description: string) =>
  Type.Object({ name: ObjectName("Name of the object, in the pipeline's namespace.") }, { description });

/** The Secret of an authority, beside what it is trusted for. */
export const CaSecretRef = (server: string) =>
  LocalRef(
    `Secret with the key ca.crt: certificates of authorities, in PEM, by one of which that of ${server} is signed. All of them are trusted, and read again for each connection.`,
  );

const SSLMODE =
  "The connection is encrypted, and with caSecretRef the server's certificate and its name are checked; a key sslmode of the Secret (disable, allow, prefer, require, verify-ca, verify-full) says otherwise, as in libpq.";

/** The keys that a Secret of a database has, and what they say of TLS. */
export const DatabaseSecretRef = (what: string) =>
  LocalRef(`${what} with the keys host, port, dbname, username and password. ${SSLMODE}`);

export const Quantity = Type.Unsafe<string | number>({
  anyOf: [{ type: "integer" }, { type: "string" }],
  "x-kubernetes-int-or-string": true,
  pattern:
    "^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))))?$",
  maxLength: 64,
});

export const Resources = Type.Object(
  {
    requests: Type.Optional(
      Type.Record(Type.String({ maxLength: 64 }), Quantity, {
        maxProperties: 16,
        description: "What the scheduler reserves.",
      }),
    ),
    limits: Type.Optional(
      Type.Record(Type.String({ maxLength: 64 }), Quantity, {
        maxProperties: 16,
        description: "What a pod may use at most.",
      }),
    ),
  },
  { description: "Requests and limits of each pod." },
);

/** An object of the Kubernetes API that is passed through as it is. */
function passedThrough(description: string) {
  return Type.Unsafe<Record<string, unknown>>({
    type: "object",
    "x-kubernetes-preserve-unknown-fields": true,
    description,
  });
}

const StringMap = (description: string) =>
  Type.Record(Type.String({ maxLength: 317 }), Type.String({ maxLength: 4096 }), { maxProperties: 64, description });

export const PodTemplate = Type.Object(
  {
    labels: Type.Optional(StringMap("Labels added to the pods.")),
    annotations: Type.Optional(StringMap("Annotations added to the pods.")),
    env: Type.Optional(
      listMap(
        Type.Object({
          name: Worded({
            pattern: "^[A-Za-z_][A-Za-z0-9_]*$",
            ...{ minLength: 1, maxLength: 128, description: "Name of the variable: LOG_LEVEL or OTEL_…." },
            write: "write LOG_LEVEL, or a name that begins with OTEL_",
          }),
          value: Type.Optional(Type.String({ maxLength: 4096, description: "Its value." })),
          valueFrom: Type.Optional(passedThrough("Its source, as in a pod: fieldRef or resourceFieldRef.")),
        }),
        { maxItems: 64, description: "Environment variables added to the container: LOG_LEVEL and OTEL_… alone." },
      ),
    ),
    nodeSelector: Type.Optional(StringMap("Labels that a node must have.")),
    tolerations: Type.Optional(
      Type.Array(passedThrough("A toleration, as in a pod."), {
        maxItems: 32,
        "x-kubernetes-list-type": "atomic",
        description: "Taints that the pods tolerate.",
      }),
    ),
    affinity: Type.Optional(passedThrough("Affinity, as in a pod.")),
    topologySpreadConstraints: Type.Optional(
      Type.Array(passedThrough("A constraint, as in a pod."), {
        maxItems: 16,
        "x-kubernetes-list-type": "atomic",
        description: "How the pods spread over nodes and zones.",
      }),
    ),
    imagePullSecrets: Type.Optional(
      listMap(LocalRef("A pull secret."), { maxItems: 16, description: "Secrets to pull the image with." }),
    ),
  },
  { description: "What is added to the pods of the stage." },
);

/** Fields that every stage has. */
export const stageFields = {
  name: DnsLabel(30, "Name of the stage: a DNS label, unique in the pipeline."),
  resources: Type.Optional(Resources),
  template: Type.Optional(PodTemplate),
};

export const Replicas = Type.Integer({
  minimum: 0,
  maximum: 1000,
  default: 1,
  description: "Number of pods; more than the topic has partitions stay idle.",
});
