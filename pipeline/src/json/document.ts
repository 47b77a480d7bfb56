/** One JSON object of values at given places: the texts around the values, so that writing one is joining texts. */
import { type JsonPath, pathsOverlap } from "@caudal/crds";

export interface DocumentForm {
  /** Values in the order in which they are written, by their place in the list of paths. */
  readonly order: readonly number[];
  /** What stands before each value, in that order. */
  readonly prefixes: readonly string[];
  /** What stands behind the last one. */
  readonly end: string;
}

interface Branch {
  /** Of a list, by element; of an object, by name. */
  readonly isList: boolean;
  readonly children: Map<string | number, Branch | number>;
}

/**
 * @param paths one for each value; objects and lists that hold several are made once, elements before the first that is
 * written are null
 * @throws RangeError when two values would be in one place: {@link overlapOf} tells before
 */
export function documentForm(paths: readonly JsonPath[]): DocumentForm {
  const root: Branch = { isList: false, children: new Map() };
  for (const [index, path] of paths.entries()) {
    let branch = root;
    for (const [depth, step] of path.slice(0, -1).entries()) {
      const isList = typeof path[depth + 1] === "number";
      const known = branch.children.get(step) ?? { isList, children: new Map<string | number, Branch | number>() };
      if (typeof known === "number" || known.isList !== isList) throw new RangeError("two values are in one place");
      branch.children.set(step, known);
      branch = known;
    }
    const last = path.at(-1) ?? "";
    if (branch.children.has(last)) throw new RangeError("two values are in one place");
    branch.children.set(last, index);
  }
  const order: number[] = [];
  const prefixes: string[] = [];
  let text = "";
  const write = (branch: Branch): void => {
    text += branch.isList ? "[" : "{";
    let count = 0;
    for (const [step, child] of branch.isList ? inOrder(branch) : branch.children) {
      for (; typeof step === "number" && count < step; count++) text += count === 0 ? "null" : ",null";
      if (count++ > 0) text += ",";
      if (typeof step === "string") text += `${JSON.stringify(step)}:`;
      if (typeof child !== "number") write(child);
      else {
        order.push(child);
        prefixes.push(text);
        text = "";
      }
    }
    text += branch.isList ? "]" : "}";
  };
  write(root);
  return { order, prefixes, end: text };
}

function inOrder({ children }: Branch): [string | number, Branch | number][] {
  return [...children].sort(([a], [b]) => Number(a) - Number(b));
}

/** @returns two values, by their places in the list, of which one is where the other is or holds it */
export function overlapOf(paths: readonly JsonPath[]): readonly [number, number] | undefined {
  for (const [a, one] of paths.entries())
    for (const [b, other] of paths.entries()) if (a < b && pathsOverlap(one, other)) return [a, b];
  return undefined;
}
