/**
 * Whether the live object already says everything that the wanted one says. Fields that others own do not matter;
 * fields that we no longer want show in the hash that each write leaves in an annotation.
 */
import type { KubeObject } from "../kube/object.ts";

/** Parents under which a text is a quantity, which the API server rewrites: 0.5 → 500m. */
const quantities = new Set(["requests", "limits", "sizeLimit", "size"]);

export function contains(live: unknown, wanted: unknown, field = ""): boolean {
  if (wanted === undefined) return true;
  if (Array.isArray(wanted)) return Array.isArray(live) && containsList(live, wanted, field);
  if (wanted !== null && typeof wanted === "object") {
    if (live === null || typeof live !== "object" || Array.isArray(live)) return false;
    const inside = quantities.has(field) ? field : "";
    return Object.entries(wanted).every(([key, value]) =>
      contains((live as Record<string, unknown>)[key], value, inside === "" ? key : inside),
    );
  }
  if (live === wanted) return true;
  return (
    quantities.has(field) && live !== undefined && quantity(live) !== undefined && quantity(live) === quantity(wanted)
  );
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

const factors: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** A quantity as a number, to nine significant digits. */
function quantity(value: unknown): string | undefined {
  const match = /^([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)(n|u|m|k|[MGTPE]i?|Ki)?$/.exec(String(value));
  const factor = factors[match?.[2] ?? ""];
  const number = Number(match?.[1]) * (factor ?? Number.NaN);
  return Number.isNaN(number) ? undefined : number.toPrecision(9);
}

/** What a plan says of an object: its content but for the stamps that change with every generation or write. */
export function contentOf(object: KubeObject, stamps: readonly string[]): KubeObject {
  const { annotations = {}, resourceVersion: _version, ...metadata } = object.metadata;
  const kept = Object.entries(annotations).filter(([name]) => !stamps.includes(name));
  return { ...object, metadata: { ...metadata, annotations: Object.fromEntries(kept) } };
}
