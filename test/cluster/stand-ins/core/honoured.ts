/** What a stand-in honours of a spec: true for all below a field, or the fields below it. A list is judged item by item. */
export type Honoured = true | { readonly [field: string]: Honoured };

/** The paths of the fields that are set and not honoured, sorted. */
export function unhonoured(value: unknown, honoured: Honoured, path: string): string[] {
  if (honoured === true || value === null || value === undefined) return [];
  if (Array.isArray(value)) {
    return value.flatMap((item, index) => unhonoured(item, honoured, `${path}[${String(index)}]`)).sort();
  }
  if (typeof value !== "object") return [];
  return Object.entries(value)
    .flatMap(([field, inner]) => {
      const below = honoured[field];
      return below === undefined ? [`${path}.${field}`] : unhonoured(inner, below, `${path}.${field}`);
    })
    .sort();
}

/** The sentence by which a stand-in refuses; `operator` is the real one, which may well honour the fields. */
export function refusal(paths: readonly string[], operator: string): string {
  return `this development stand-in does not honour ${paths.join(", ")}; ${operator} itself may. Remove what is named here, or use a cluster with ${operator}`;
}
