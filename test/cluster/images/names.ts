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

export const images = {
  pause: image("pause", "pause:1"),
  coredns: image("coredns"),
  /** What our own images are built upon. */
  base: image("base"),
  /** What Kafka and PostgreSQL run on is nearly all of their images: they are one, by two names. */
  services: image("dev-services", "dev-kafka:4.3.1", "dev-postgres:17"),
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
