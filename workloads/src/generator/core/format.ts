/** How a field's type is written in an event's JSON. */
import type { Field } from "@caudal/crds";

/** Decimals of more digits come as JSON strings: numbers would lose some. */
const EXACT_DIGITS = 15;

/** A number as the field's type has it: doubles with three decimals, times from epoch milliseconds. */
export function formatNumber(field: Field, value: number): string {
  switch (field.type) {
    case "integer":
    case "bigint":
      return String(Math.round(value));
    case "boolean":
      return String(value >= 0.5);
    case "timestamp":
    case "date":
      return formatTime(field, value);
    default:
      return field.type.startsWith("decimal") ? value.toFixed(scale(field)) : String(Math.round(value * 1000) / 1000);
  }
}

/** A time as the field's type has it. @param time epoch milliseconds */
export function formatTime(field: Field, time: number): string {
  switch (field.type) {
    case "integer":
    case "bigint":
    case "double":
      return String(Math.floor(time));
    case "date":
      return new Date(time).toISOString().slice(0, 10);
    default:
      return new Date(time).toISOString();
  }
}

/** Whether the field's text stands in the JSON without quotes. */
export function isBare({ type }: Field): boolean {
  if (type === "boolean" || type === "integer" || type === "bigint" || type === "double") return true;
  return type.startsWith("decimal") && Number(type.slice("decimal(".length).split(",")[0]) <= EXACT_DIGITS;
}

function scale({ type }: Field): number {
  return Number(/,([0-9]+)\)$/.exec(type)?.[1] ?? 0);
}
