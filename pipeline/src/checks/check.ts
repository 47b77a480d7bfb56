/** What a check sees and says. Checks are pure; each finds one kind of mistake and says what to write instead. */
import type { StreamPipeline, Topic } from "@caudal/crds";
import type { Problem } from "../problem.ts";

export interface CheckInput {
  readonly pipeline: StreamPipeline;
  /** Listeners of the Strimzi Kafka, where it is known. */
  readonly listeners?: readonly { readonly name: string; readonly authentication?: { readonly type: string } }[];
  /** Tables that older pipelines keep in the same database: table to `namespace/name`. */
  readonly claims?: ReadonlyMap<string, string>;
  /** Of the faker library: undefined when the name is good, or what to write. */
  readonly checkFakeName?: (name: string) => string | undefined;
}

export type Check = (input: CheckInput) => Problem[];

export function topicOf({ pipeline }: CheckInput, name: string): Topic | undefined {
  return pipeline.spec.topics.find((topic) => topic.name === name);
}

/** Names that come twice, as pairs of the name and both places. */
export function duplicates<T>(
  items: readonly T[],
  nameOf: (item: T) => string,
  placeOf: (item: T) => string,
): { name: string; first: string; second: string }[] {
  const seen = new Map<string, string>();
  return items.flatMap((item) => {
    const name = nameOf(item);
    const first = seen.get(name);
    seen.set(name, first ?? placeOf(item));
    return first === undefined ? [] : [{ name, first, second: placeOf(item) }];
  });
}
