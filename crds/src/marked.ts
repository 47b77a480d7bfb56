/** Values whose form the API server does not check, so that the operator can say in words what is wrong with them. */
import type { TSchema } from "typebox";

export type Mark = "duration" | "fieldType";

/** A name that the API server never sees: what begins with ~ is left out of the CRD. */
const KEY = "~mark";

/** Marks a schema. */
export function mark(kind: Mark): { readonly [KEY]: Mark } {
  return { [KEY]: kind };
}

/** A marked value of a spec. */
export interface Marked {
  readonly mark: Mark;
  /** Where it is, such as `spec.topics[orders].fields[amount].type`. */
  readonly path: string;
  readonly value: unknown;
  /** Puts another value in its place. */
  put(value: string): void;
}

interface Walked {
  readonly properties?: Readonly<Record<string, Walked>>;
  readonly items?: Walked;
  readonly [KEY]?: Mark;
}

/** @returns every marked value of a value of the schema, in the order of the schema */
export function marked(schema: TSchema, value: unknown, path: string): readonly Marked[] {
  return walk(schema as Walked, value, path);
}

function walk(schema: Walked, value: unknown, path: string): readonly Marked[] {
  if (typeof value !== "object" || value === null) return [];
  const holder = value as Record<string, unknown>;
  const children = Array.isArray(value)
    ? value.map((item: unknown, index) => ({
        key: String(index),
        place: `${path}[${nameOf(item) ?? index}]`,
        of: schema.items,
      }))
    : Object.keys(holder).map((key) => ({ key, place: `${path}.${key}`, of: schema.properties?.[key] }));
  return children.flatMap(({ key, place, of }) => {
    const found = holder[key];
    if (of === undefined || found === undefined || found === null) return [];
    const kind = of[KEY];
    if (kind === undefined) return walk(of, found, place);
    const put = (other: string) => {
      holder[key] = other;
    };
    return [{ mark: kind, path: place, value: found, put }];
  });
}

function nameOf(item: unknown): string | undefined {
  return typeof item === "object" && item !== null && "name" in item && typeof item.name === "string"
    ? item.name
    : undefined;
}
