/** Events: event i is a function of (seed, i, now) alone. */
import { type Field, type GeneratorConfig, type GeneratorValue, pathOf } from "@caudal/crds";
import { documentForm } from "@caudal/pipeline/json";
import { defaultValue } from "./defaults.ts";
import { isBare } from "./format.ts";
import { isPlain, textMaker } from "./kinds.ts";
import { Stream } from "./stream.ts";

export { checkFakeName, fakeNames } from "./fake.ts";

export interface Event {
  /** The key's text, or null when the topic has no key field or this event's is null. */
  readonly key: string | null;
  /** A JSON object in one line. */
  readonly value: string;
}

export type MakeEvent = (event: number, now: number) => Event;

/** A configuration that the schema accepts and no event can be made of; its message names the field. */
export class ValuesInvalid extends RangeError {}

type MakeField = (event: number, now: number) => string | null;

/** @throws ValuesInvalid that names the field */
export function eventMaker(config: Pick<GeneratorConfig, "topic" | "values" | "seed">): MakeEvent {
  const { topic, values = [], seed } = config;
  for (const { field } of values)
    if (!topic.fields.some(({ name }) => name === field))
      throw new ValuesInvalid(
        `values: topic ${topic.name} has no field "${field}"; it has ${topic.fields.map(({ name }) => name).join(", ")}`,
      );
  const fields = topic.fields.map((field) => {
    const value = values.find((candidate) => candidate.field === field.name) ?? defaultValue(field);
    const { name } = field;
    return { name, path: pathOf(field), text: fieldMaker(field, value, seed), json: jsonMaker(field, value) };
  });
  const written = fields.flatMap(({ path, ...field }) => (path === undefined ? [] : { ...field, path }));
  const { order, prefixes, end } = documentForm(written.map(({ path }) => path));
  const ordered = order.flatMap((place) => written[place] ?? []);
  const keyAt = ordered.findIndex(({ name }) => name === topic.key);
  // The key alone may be beside the value.
  const keyField = keyAt < 0 ? fields.find(({ name }) => name === topic.key) : undefined;
  return (event, now) => {
    let key = keyField?.text(event, now) ?? null;
    let value = "";
    for (let index = 0; index < ordered.length; index++) {
      const field = ordered[index];
      if (field === undefined) continue;
      const text = field.text(event, now);
      if (index === keyAt) key = text;
      value += (prefixes[index] ?? "") + (text === null ? "null" : field.json(text));
    }
    return { key, value: value + end };
  };
}

function fieldMaker(field: Field, value: GeneratorValue, seed: number): MakeField {
  const { nulls = 0 } = value;
  if (nulls > 0 && !field.nullable)
    throw new ValuesInvalid(`field ${field.name} has nulls, and is not nullable: set nullable: true or remove nulls`);
  try {
    const make = textMaker(field, value);
    const stream = new Stream(seed, field.name);
    // The first number of each event decides about null, so that a share of nulls leaves the other values as they were.
    return (event, now) => {
      const isNull = stream.at(event).unit() < nulls;
      return isNull ? null : make(stream, event, now);
    };
  } catch (error) {
    if (error instanceof RangeError) throw new ValuesInvalid(`field ${field.name}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** From a value's text to JSON. */
function jsonMaker(field: Field, value: GeneratorValue): (text: string) => string {
  if (isBare(field)) return (text) => text;
  if (field.type === "json") return (text) => jsonText(text);
  return isPlain(field, value) ? (text) => `"${text}"` : (text) => JSON.stringify(text);
}

/** A json field holds JSON: text that is none becomes a string. */
function jsonText(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return JSON.stringify(text);
  }
}
