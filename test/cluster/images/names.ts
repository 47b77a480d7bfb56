/** The images' names, the same on every cluster: what charts, stand-ins and tests may rely on. */

export interface ImageName {
  /** Without a tag: that is a hash of the contents. */
  readonly repository: string;
  /** Whole names that stay the same when the contents change. */
  readonly aliases: readonly string[];
}

const image = (name: string, ...aliases: string[]): ImageName => ({
  repository: `localhost/caudal/${name}`,
  aliases: aliases.map((alias) => `localhost/caudal/${alias}`),
});

/** Takes the place of public images, by their own names, where no registry of images can be reached. */
const inPlaceOf = (built: ImageName, ...names: string[]): ImageName => ({
  ...built,
  aliases: [...built.aliases, ...names.map((name) => `docker.io/${name}`)],
});

export const images = {
  pause: image("pause", "pause:1"),
  coredns: image("coredns"),
  /** What our own images are built upon. */
  base: image("base"),
  /** What Kafka and PostgreSQL run on is nearly all of their images: they are one with Valkey's, by several names. */
  services: inPlaceOf(
    image("dev-services", "dev-kafka:4.3.1", "dev-postgres:17"),
    "library/postgres:17",
    "valkey/valkey:8.1",
  ),
  /** An S3 server over a folder. */
  s3: inPlaceOf(image("dev-s3"), "versity/versitygw:v1.8.0"),
  standIns: image("stand-ins", "stand-ins:dev"),
  operator: image("operator", "operator:dev"),
  workloads: image("workloads", "workloads:dev"),
} as const;
export type ImageKey = keyof typeof images;

/** An image with its contents decided. */
export interface BuiltImage extends ImageName {
  /** Hash of what it is made from. */
  readonly tag: string;
  /** Path of its archive (an OCI layout in a tar). */
  readonly archive: string;
}
