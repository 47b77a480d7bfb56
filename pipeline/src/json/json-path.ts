/** Paths into JSON as DuckDB's functions take them: a key, `$.a."b c"[0]` with `*` for all, or a pointer such as /a/0. */

/** A member, an element (from the end where it is negative), or all of them. */
export type Step = { readonly key: string } | { readonly index: number } | "members" | "elements";

const STEP = /\.\*|\.(?:"((?:[^"\\]|\\.)*)"|([^.[\]"*]+))|\[(?:\*|(#?-?\d+))\]/y;

/** @returns undefined for what is no path, or one with `..` */
export function parsePath(path: string): readonly Step[] | undefined {
  if (path.startsWith("/")) return path.slice(1).split("/").map(pointerStep);
  if (!path.startsWith("$")) return [{ key: path }];
  const steps: Step[] = [];
  for (let at = 1; at < path.length; at = STEP.lastIndex) {
    STEP.lastIndex = at;
    const [all, quoted, name, index] = STEP.exec(path) ?? [];
    if (all === undefined) return undefined;
    if (all === ".*") steps.push("members");
    else if (all === "[*]") steps.push("elements");
    else if (index !== undefined) steps.push({ index: Number(index.replace("#", "")) });
    else steps.push({ key: name ?? (quoted ?? "").replace(/\\(.)/g, "$1") });
  }
  return steps;
}

/** Whether a path may find several values. */
export function findsMany(steps: readonly Step[]): boolean {
  return steps.some((step) => typeof step === "string");
}

/** A number is a place in a list, or a key of an object. */
function pointerStep(step: string): Step {
  const key = step.replaceAll("~1", "/").replaceAll("~0", "~");
  return /^\d+$/.test(key) ? { index: Number(key) } : { key };
}
