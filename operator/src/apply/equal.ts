/**
 * Whether the live object already says everything that the wanted one says. Fields that others own do not matter;
 * fields that we no longer want show in the hash that each write leaves in an annotation.
 */
import type { KubeObject } from "../kube/object.ts";
import { milliNanosOf, nanosOf } from "./quantity.ts";

/** Parents under which a text is a quantity, which the API server rewrites: 0.5 → 500m. */
const quantities = new Set(["requests", "limits", "sizeLimit", "size"]);

export function contains(live: unknown, wanted: unknown, field = ""): boolean {
  if (wanted === undefined || (live === undefined && isNothing(wanted))) return true;
  if (Array.isArray(wanted)) return Array.isArray(live) && containsList(live, wanted, field);
  if (wanted !== null && typeof wanted === "object") {
    if (live === null || typeof live !== "object" || Array.isArray(live)) return false;
    const inside = quantities.has(field) ? field : "";
    return Object.entries(wanted).every(([key, value]) =>
      contains((live as Record<string, unknown>)[key], value, inside === "" ? key : inside),
    );
  }
  return live === wanted || (quantities.has(field) && isSameQuantity(live, wanted, field));
}

/** Keys by which the API server merges lists; other lists are replaced whole. */
const listKeys = ["name", "uid", "mountPath", "containerPort", "topologyKey"];

function containsList(live: readonly unknown[], wanted: readonly unknown[], field: string): boolean {
  const key = listKeys.find((name) => wanted.length > 0 && wanted.every((item) => isRecord(item) && name in item));
  if (key !== undefined) {
    return wanted.every((item) => {
      const name = (item as Record<string, unknown>)[key];
      return live.some((other) => isRecord(other) && other[key] === name && contains(other, item));
    });
  }
  return live.length === wanted.length && wanted.every((item, index) => contains(live[index], item, field));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

/** Parents under which the API server rounds quantities up to thousandths: of CPU "0.0001" becomes "1m". */
const ROUNDED = new Set(["requests", "limits"]);

function isSameQuantity(live: unknown, wanted: unknown, field: string): boolean {
  const [stored, asked] = [nanosOf(live), nanosOf(wanted)];
  if (stored === undefined || asked === undefined) return false;
  return stored === asked || (ROUNDED.has(field) && stored === milliNanosOf(asked));
}

/** Values that the API server leaves away where a field has no other meaning without one. */
function isNothing(value: unknown): boolean {
  return value === "" || value === false || value === 0 || (Array.isArray(value) && value.length === 0);
}

/** What a plan says of an object: its content but for the stamps that change with every generation or write. */
export function contentOf(object: KubeObject, stamps: readonly string[]): KubeObject {
  const { annotations = {}, resourceVersion: _version, ...metadata } = object.metadata;
  const kept = Object.entries(annotations).filter(([name]) => !stamps.includes(name));
  return { ...object, metadata: { ...metadata, annotations: Object.fromEntries(kept) } };
}
