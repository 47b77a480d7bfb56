/** What a field holds when the pipeline does not say: by its type, and by words in its name. */
import type { Field, GeneratorValue } from "@caudal/crds";

type Kind = Omit<GeneratorValue, "field">;

/** Strings: the first pattern that the name matches. */
const byName: readonly (readonly [RegExp, Kind])[] = [
  [/e?mail/, { fake: "internet.email" }],
  [/first_?name/, { fake: "person.firstName" }],
  [/last_?name|surname/, { fake: "person.lastName" }],
  [/company|organi[sz]ation/, { fake: "company.name" }],
  [/product/, { fake: "commerce.productName" }],
  [/phone|mobile/, { fake: "phone.number" }],
  [/city|town/, { fake: "location.city" }],
  [/country/, { fake: "location.country" }],
  [/street|address/, { fake: "location.streetAddress" }],
  [/currency/, { fake: "finance.currencyCode" }],
  [/user_?agent/, { fake: "internet.userAgent" }],
  [/(^|_)ip(_|$)|ip_?addr/, { fake: "internet.ipv4" }],
  [/url|link|page/, { fake: "internet.url" }],
  [/colou?r/, { fake: "color.human" }],
  [/(^|_)(id|key|code)$/, { choice: { from: 10_000, distribution: "uniform" } }],
  [/name/, { fake: "person.fullName" }],
  [/type|kind|status|state|category|level/, { choice: { values: ["a", "b", "c"], distribution: "zipf" } }],
  [/text|comment|message|description|title/, { fake: "lorem.sentence" }],
];

/** Numbers likewise: smallest and largest value. */
const ranges: readonly (readonly [RegExp, number, number])[] = [
  [/latitude|(^|_)lat$/, -90, 90],
  [/longitude|(^|_)(lon|lng)$/, -180, 180],
  [/age$/, 18, 90],
  [/percent|ratio/, 0, 100],
  [/quantity|qty|count|items/, 1, 10],
  [/price|amount|total|cost|value|valor/, 1, 500],
  [/(^|_)id$/, 1, 10_000],
];

export function defaultValue(field: Field): GeneratorValue {
  return { field: field.name, ...kindOf(field) };
}

function kindOf({ name, type }: Field): Kind {
  const words = name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase();
  switch (type) {
    case "uuid":
      return { uuid: {} };
    case "boolean":
      return { choice: { values: ["true", "false"], distribution: "uniform" } };
    case "timestamp":
    case "date":
      return { now: {} };
    case "json":
      return { constant: "{}" };
    case "string":
      return byName.find(([pattern]) => pattern.test(words))?.[1] ?? { fake: "lorem.word" };
    default: {
      const [, min, max] = ranges.find(([pattern]) => pattern.test(words)) ?? [undefined, 0, 1_000];
      // A decimal(4,3) holds at most 9.999.
      const digits = /^decimal\(([0-9]+),([0-9]+)\)$/.exec(type);
      const most = digits === null ? Infinity : 10 ** (Number(digits[1]) - Number(digits[2])) - 1;
      return { uniform: { min: Math.max(min, -most), max: Math.min(max, most) } };
    }
  }
}
