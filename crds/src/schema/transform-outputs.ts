/** Where a transform's events may go besides topics and tables. */
import { type Static, Type } from "typebox";
import { CaSecretRef, Duration, LocalRef, rules, Worded } from "./common.ts";

export const RedisOutput = Type.Object(
  {
    connectionSecretRef: LocalRef(
      "Secret with the key uri: redis://user:password@host:6379/0, or rediss:// for TLS. Redis 6.2 or newer, or Valkey; not a Cluster.",
    ),
    caSecretRef: Type.Optional(CaSecretRef("the Redis, with rediss://,")),
    key: Type.String({
      minLength: 1,
      maxLength: 512,
      description:
        "Key of an event, with names of columns in braces, as in tx:{id}: a later event with the same key replaces it.",
    }),
    as: Type.Union([Type.Literal("hash"), Type.Literal("json")], {
      default: "hash",
      description: "What a key holds: a hash with a field for each column that is not NULL, or a text of JSON.",
    }),
    ttl: Type.Optional(Duration("How long a key lives after it was written; for ever without.")),
  },
  { description: "A Redis or Valkey, which keeps its own progress beside the keys." },
);
export type RedisOutput = Static<typeof RedisOutput>;

export const FilesOutput = Type.Object(
  {
    format: Type.Union([Type.Literal("parquet"), Type.Literal("jsonl")], {
      default: "parquet",
      description: "Parquet, or lines of JSON.",
    }),
    path: Worded({
      pattern: "^(s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/|file:///)([A-Za-z0-9._=-]+/)*$",
      maxLength: 512,
      description:
        "s3://bucket/prefix/, or file:///folder/ in the volume of claimRef; it ends with a slash. Below it, folders date=YYYY-MM-DD by event time.",
      write:
        "write s3://bucket/prefix/ or file:///folder/, with a slash at the end, and letters, digits, dots, dashes, = and _ between slashes",
    }),
    endpoint: Type.Optional(
      Worded({
        pattern: "^https?://[A-Za-z0-9.:-]+$",
        maxLength: 253,
        description: "URL of the S3-compatible store; Amazon's own for the region without it.",
        write: "write http or https, a host and perhaps a port, without a path, such as https://minio.storage.svc:9000",
      }),
    ),
    region: Type.Optional(
      Worded({
        pattern: "^[a-z0-9-]{1,32}$",
        maxLength: 32,
        description: "Region of the bucket; us-east-1 without it.",
        write: "write small letters, digits and dashes, such as eu-central-1",
      }),
    ),
    credentialsSecretRef: Type.Optional(
      LocalRef("Secret with the keys AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: for s3://."),
    ),
    caSecretRef: Type.Optional(CaSecretRef("the store, with an endpoint of https://,")),
    claimRef: Type.Optional(LocalRef("PersistentVolumeClaim that holds the files: for file:///.")),
    every: Duration("How long events gather before they become a file: for so long they cannot be read yet.", {
      default: "1m",
    }),
    maxEvents: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 100_000,
      description: "So many events become files earlier; they are held in memory until then, 64 MiB of them at most.",
    }),
  },
  {
    description: "Files by event date, each event in exactly one, readable by one query with hive partitioning.",
    ...rules(
      {
        rule: "self.path.startsWith('s3://') == has(self.credentialsSecretRef)",
        message: "set credentialsSecretRef for a path s3://, and only there",
      },
      {
        rule: "self.path.startsWith('file://') == has(self.claimRef)",
        message: "set claimRef, the PersistentVolumeClaim with the files, for a path file:///, and only there",
      },
      {
        rule: "!self.path.matches('/[.]{1,2}/')",
        message: "a folder of the path is . or ..: write where the files are without it, within the volume or bucket",
      },
      {
        rule: "self.path.startsWith('s3://') || !(has(self.endpoint) || has(self.region) || has(self.caSecretRef))",
        message: "endpoint and region are those of a path s3://, as is caSecretRef: leave them out",
      },
    ),
  },
);
export type FilesOutput = Static<typeof FilesOutput>;
