/** What is said of a field that the schema does not have. */
import { customResourceDefinition } from "@caudal/crds";

interface Node {
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
}

/** What SQL has and a StreamPipeline says in another way. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  having: "a condition over aggregates stands in the query that reads the table, one over events in where",
  orderBy: "events are taken in the order of their partition: order rows in the query that reads them",
  limit: "every event is taken: leave some out with where",
  from: "a stage reads the topic that `topic` names",
  join: "a table beside the events is one of a transform's lookups",
  sink: "where events go is `to`",
  sinks: "where events go is `to`",
  output: "where events go is `to`",
  outputs: "where events go is `to`",
  filter: "a condition is `where`",
  schema: "the events' schema is `fields`",
  parallelism: "the number of pods is `replicas`",
};
const MAX_PLACES = 3;

/**
 * @param name of the unknown field
 * @param known names of the fields that may stand there
 */
export function unknownFieldHint(name: string, known: readonly string[]): string {
  const near = known.find((one) => isNear(one.toLowerCase(), name.toLowerCase()));
  if (near !== undefined) return `write ${near}`;
  const places = placesOf(name);
  if (places.length > 0) return `it belongs into ${places.slice(0, MAX_PLACES).join(" or ")}`;
  if (Object.hasOwn(ELSEWHERE, name)) return ELSEWHERE[name] ?? "";
  return known.length === 0 ? "remove it" : `remove it, or write one of ${known.join(", ")}`;
}

/** The objects of a spec that have a field of that name, as `spec.aggregators[].tables[]`. */
function placesOf(name: string): readonly string[] {
  const crd = customResourceDefinition() as unknown as {
    readonly spec: { readonly versions: readonly { readonly schema: { readonly openAPIV3Schema: Node } }[] };
  };
  const spec = crd.spec.versions[0]?.schema.openAPIV3Schema.properties?.["spec"];
  const search = (node: Node, path: string): readonly string[] => [
    ...(node.properties !== undefined && Object.hasOwn(node.properties, name) ? [path] : []),
    ...Object.entries(node.properties ?? {}).flatMap(([key, child]) =>
      child.items === undefined ? search(child, `${path}.${key}`) : search(child.items, `${path}.${key}[]`),
    ),
  ];
  return spec === undefined ? [] : search(spec, "spec");
}

/** Whether one letter is missing, too many, another, or two have changed places. */
function isNear(a: string, b: string): boolean {
  if (a === b) return true;
  if (Math.min(a.length, b.length) < 4) return false;
  const start = [...a].findIndex((letter, index) => letter !== b[index]);
  const from = start < 0 ? a.length : start;
  const rest = (text: string, skip: number) => text.slice(from + skip);
  return (
    rest(a, 1) === rest(b, 1) ||
    rest(a, 1) === rest(b, 0) ||
    rest(a, 0) === rest(b, 1) ||
    (a[from] === b[from + 1] && a[from + 1] === b[from] && rest(a, 2) === rest(b, 2))
  );
}
