/** Each kind of value as a function of (stream at the event, event, now) that gives its text. */
import { type Field, type GeneratorValue, parseDuration } from "@caudal/crds";
import { fakeMaker } from "./fake.ts";
import { formatNumber, formatTime } from "./format.ts";
import type { Stream } from "./stream.ts";

/** @param event its number, from 0  @param now epoch milliseconds */
export type MakeText = (stream: Stream, event: number, now: number) => string;

/** The text of one kind, as the field's type reads it. @throws RangeError for what the schema cannot refuse */
export function textMaker(field: Field, value: GeneratorValue): MakeText {
  const { constant, choice, weighted, uniform, normal, lognormal, sequence, uuid, fake, now, time } = value;
  if (constant !== undefined) return () => constant;
  if (choice !== undefined) return choiceMaker(field, choice);
  if (weighted !== undefined) return weightedMaker(weighted);
  if (uniform !== undefined) return uniformMaker(field, uniform);
  if (normal !== undefined) return normalMaker(field, normal);
  if (lognormal !== undefined) return lognormalMaker(field, lognormal);
  if (sequence !== undefined) {
    const { start, step, prefix = "" } = sequence;
    return (_stream, event) => prefix + String(start + event * step);
  }
  if (uuid !== undefined) return uuidText;
  if (fake !== undefined) {
    const make = fakeMaker(fake);
    return (stream, _event, at) => make(stream, at);
  }
  if (now !== undefined) {
    const jitter = now.jitter === undefined ? 0 : parseDuration(now.jitter);
    return (stream, _event, at) => formatTime(field, at - earlier(stream, jitter));
  }
  if (time !== undefined) {
    const start = Date.parse(time.start);
    if (Number.isNaN(start)) throw new RangeError(`time.start "${time.start}" is not ISO 8601`);
    const step = parseDuration(time.step);
    const jitter = time.jitter === undefined ? 0 : parseDuration(time.jitter);
    return (stream, event) => formatTime(field, start + event * step - earlier(stream, jitter));
  }
  throw new RangeError("a value needs one kind, such as constant, choice or uuid");
}

/** Whether all texts of the value stand in JSON as they are, between quotes. */
export function isPlain(
  field: Field,
  { constant, choice, weighted, sequence, fake, ...rest }: GeneratorValue,
): boolean {
  if (fake !== undefined) return false;
  const texts = [
    ...(constant === undefined ? [] : [constant]),
    ...(choice?.values ?? [choice?.prefix ?? ""]),
    ...(weighted ?? []).map(({ value }) => value),
    sequence?.prefix ?? "",
  ];
  const made = rest.now !== undefined || rest.time !== undefined ? formatTime(field, 0) : "";
  return [...texts, made].every((text) => /^[ !#-[\]-~]*$/.test(text));
}

/** UUIDs of a choice differ in their last 12 digits. */
const UUIDS = "00000000-0000-4000-8000-";

function choiceMaker(
  field: Field,
  { from, prefix = "", values, distribution }: NonNullable<GeneratorValue["choice"]>,
): MakeText {
  const count = values?.length ?? from ?? 1;
  // Inverts the distribution with weights ln((k + 1) / k), which are near 1/k, for k = 1 to count.
  const log = Math.log(count + 1);
  const rank =
    distribution === "zipf"
      ? (stream: Stream): number => Math.min(count, Math.floor(Math.exp(stream.unit() * log)))
      : (stream: Stream): number => 1 + Math.floor(stream.unit() * count);
  if (values !== undefined) return (stream) => values[rank(stream) - 1] ?? "";
  if (field.type === "uuid") return (stream) => UUIDS + String(rank(stream)).padStart(12, "0");
  return (stream) => prefix + String(rank(stream));
}

function weightedMaker(weighted: NonNullable<GeneratorValue["weighted"]>): MakeText {
  let total = 0;
  const bounds = weighted.map(({ weight }) => (total += weight));
  const values = weighted.map(({ value }) => value);
  return (stream) => {
    const at = stream.unit() * total;
    let low = 0;
    let high = bounds.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (at < (bounds[middle] ?? 0)) high = middle;
      else low = middle + 1;
    }
    return values[low] ?? "";
  };
}

function uniformMaker(field: Field, { min, max }: NonNullable<GeneratorValue["uniform"]>): MakeText {
  const whole = field.type === "integer" || field.type === "bigint";
  const low = whole ? Math.ceil(min) : min;
  const span = whole ? Math.floor(max) - low + 1 : max - min;
  return (stream) => {
    const value = low + stream.unit() * span;
    return formatNumber(field, whole ? Math.floor(value) : value);
  };
}

function normalMaker(field: Field, normal: NonNullable<GeneratorValue["normal"]>): MakeText {
  const { mean, stddev, min = -Infinity, max = Infinity } = normal;
  return (stream) => formatNumber(field, Math.min(max, Math.max(min, mean + stddev * standardNormal(stream))));
}

function lognormalMaker(field: Field, lognormal: NonNullable<GeneratorValue["lognormal"]>): MakeText {
  const { median, sigma, min = 0, max = Infinity } = lognormal;
  return (stream) =>
    formatNumber(field, Math.min(max, Math.max(min, median * Math.exp(sigma * standardNormal(stream)))));
}

function standardNormal(stream: Stream): number {
  // Box and Muller's transform; 1 - unit() is never 0.
  const radius = Math.sqrt(-2 * Math.log(1 - stream.unit()));
  return radius * Math.cos(2 * Math.PI * stream.unit());
}

/** Two bytes as four digits of hexadecimal. */
const HEX = Array.from({ length: 0x1_0000 }, (_, value) => value.toString(16).padStart(4, "0"));
const hex = (twoBytes: number): string => HEX[twoBytes & 0xffff] ?? "";

function uuidText(stream: Stream): string {
  const a = stream.uint32();
  const b = stream.uint32();
  const c = stream.uint32();
  const d = stream.uint32();
  // Version 4, variant 10.
  return `${hex(a >>> 16)}${hex(a)}-${hex(b >>> 16)}-${hex((b & 0x0fff) | 0x4000)}-${hex(((c >>> 16) & 0x3fff) | 0x8000)}-${hex(c)}${hex(d >>> 16)}${hex(d)}`;
}

function earlier(stream: Stream, jitter: number): number {
  return jitter === 0 ? 0 : Math.floor(stream.unit() * (jitter + 1));
}
