/** Realistic values, by the names that the faker library gives them. */
import { faker } from "@faker-js/faker/locale/en";
import type { Stream } from "./stream.ts";

type Fake = () => unknown;

/** Made-up people have addresses and numbers that are nobody's: reserved domains (RFC 2606), numbers kept for fiction. */
const { internet, phone_number: phone } = faker.rawDefinitions;
Object.assign(faker.rawDefinitions, {
  internet: { ...internet, free_email: ["example.org"], example_email: ["example.org"], domain_suffix: ["example"] },
  phone_number: {
    ...phone,
    format: {
      human: ["!##-555-01##", "(!##) 555-01##", "1-!##-555-01##"],
      international: ["+1!##55501##"],
      mobile: ["!##55501##"],
      national: ["(!##) 555-01##"],
    },
  },
});

/** Parts of the library that are tools, or need arguments. */
const without = new Set(["helpers", "definitions", "rawDefinitions", "_randomizer"]);

/**
 * Makes a function of (stream, now) that gives a value as text.
 *
 * @throws RangeError with near names when the library has none like this
 */
export function fakeMaker(name: string): (stream: Stream, now: number) => string {
  const problem = checkFakeName(name);
  const fake = find(name);
  if (problem !== undefined || fake === undefined) throw new RangeError(problem ?? name);
  return (stream, now) => {
    faker.seed([stream.uint32(), stream.uint32(), stream.uint32(), stream.uint32()]);
    faker.setDefaultRefDate(now);
    return textOf(fake()) ?? "";
  };
}

/** What is wrong with a faker name, with near ones to write instead; undefined when nothing is. */
export function checkFakeName(name: string): string | undefined {
  const fake = find(name);
  if (fake === undefined) return `faker gives no value by the name "${name}"; ${suggestions(name)}`;
  try {
    if (textOf(fake()) !== undefined) return undefined;
  } catch {
    return `"${name}" of faker needs arguments and cannot be used here; ${suggestions(name)}`;
  }
  return `"${name}" of faker does not give one value; ${suggestions(name)}`;
}

/** Every name that can be used, sorted. */
export function fakeNames(): string[] {
  return Object.entries(faker as unknown as Record<string, unknown>)
    .filter(([module, value]) => !without.has(module) && typeof value === "object" && value !== null)
    .flatMap(([module, value]) => methods(value as object).map((method) => `${module}.${method}`))
    .sort();
}

function methods(module: object): string[] {
  const names = new Set<string>();
  let level: object | null = module;
  while (level !== null && level !== Object.prototype) {
    for (const name of Object.getOwnPropertyNames(level)) names.add(name);
    level = Object.getPrototypeOf(level) as object | null;
  }
  return [...names].filter(
    (name) => name !== "constructor" && typeof (module as Record<string, unknown>)[name] === "function",
  );
}

function find(name: string): Fake | undefined {
  const [module, method] = name.split(".");
  if (module === undefined || method === undefined || without.has(module) || method === "constructor") return undefined;
  const owner = (faker as unknown as Record<string, unknown>)[module];
  if (typeof owner !== "object" || owner === null) return undefined;
  const fake = (owner as Record<string, unknown>)[method];
  return typeof fake === "function" ? () => (fake as Fake).call(owner) : undefined;
}

function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") return String(value);
  return value instanceof Date ? value.toISOString() : undefined;
}

function suggestions(name: string): string {
  const near = fakeNames()
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((one, other) => one.distance - other.distance)
    .slice(0, 3)
    .map(({ candidate }) => candidate);
  return `near it: ${near.join(", ")}`;
}

function editDistance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, i) => i);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const change = one[i - 1] === other[j - 1] ? 0 : 1;
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + change));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
