import { type JsonPath, pathOf, type TopicConfig } from "@caudal/crds";

/**
 * Where in the JSON of a topic's records a column is written: at the place of the field of its name, as the member of its
 * name where no field is declared, and nowhere (undefined) where the field is beside the value.
 */
export function placesIn({ fields }: Pick<TopicConfig, "fields">): (column: string) => JsonPath | undefined {
  const places = new Map(fields.map((field) => [field.name, pathOf(field)]));
  return (column) => (places.has(column) ? places.get(column) : [column]);
}
