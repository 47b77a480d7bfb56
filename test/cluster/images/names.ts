/** The images' names, the same on every cluster: what charts, stand-ins and tests may rely on. */

export interface ImageName {
  /** Without the tag. */
  readonly repository: string;
  /** The tag that stays when the contents change; beside it every image has a hash of its contents as a tag. */
  readonly alias: string;
}

const image = (name: string, alias: string): ImageName => ({ repository: `localhost/caudal/${name}`, alias });

export const images = {
  pause: image("pause", "1"),
  coredns: image("coredns", "1"),
  kafka: image("dev-kafka", "4.3.1"),
  postgres: image("dev-postgres", "17"),
  standIns: image("stand-ins", "dev"),
  operator: image("operator", "dev"),
  workloads: image("workloads", "dev"),
} as const;
export type ImageKey = keyof typeof images;

/** An image with its contents decided. */
export interface BuiltImage extends ImageName {
  /** Hash of what it is made from. */
  readonly tag: string;
  /** Where its archive (OCI layout in a tar) is; empty where Docker keeps it. */
  readonly archive: string;
}
