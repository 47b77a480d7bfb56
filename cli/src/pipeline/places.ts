/** Where in its file a part of a pipeline was written. */
import { type Document, isAlias, isMap, isScalar, isSeq, type LineCounter, type Node } from "yaml";

/** Counted from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** The places of one document of a file. */
export class Places {
  readonly #document: Document.Parsed;
  readonly #lines: LineCounter;

  constructor(document: Document.Parsed, lines: LineCounter) {
    this.#document = document;
    this.#lines = lines;
  }

  /**
   * @param problem that begins with a path such as `spec.topics[orders].fields[0].type: …`, or names one as an unknown field
   * @returns where that was written, or the nearest thing around it that was; undefined for a problem of no place
   */
  of(problem: string): Place | undefined {
    const path = /^(?:unknown field ")?((?:apiVersion|kind|metadata|spec)\b[^\s":]*)/.exec(problem)?.[1];
    if (path === undefined) return undefined;
    const offset = this.#offsetOf(path.match(/\[[^\]]*\]|[^.[\]]+/g) ?? []);
    if (offset === undefined) return undefined;
    const { line, col: column } = this.#lines.linePos(offset);
    return { line, column };
  }

  #offsetOf(steps: readonly string[]): number | undefined {
    let node: unknown = this.#document.contents;
    let offset = (node as Node | null)?.range?.[0];
    for (const step of steps) {
      const found = childOf(this.#resolved(node), step);
      if (found === undefined) break;
      node = found.node;
      offset = found.offset ?? offset;
    }
    return offset;
  }

  #resolved(node: unknown): unknown {
    return isAlias(node) ? node.resolve(this.#document) : node;
  }
}

interface Child {
  readonly node: unknown;
  readonly offset: number | undefined;
}

function childOf(node: unknown, step: string): Child | undefined {
  if (isMap(node)) {
    const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === step);
    if (pair === undefined) return undefined;
    // A value of one line is shown itself, what spans several by its key.
    const shown = isScalar(pair.value) ? pair.value : pair.key;
    return { node: pair.value, offset: (shown as Node).range?.[0] };
  }
  if (!isSeq(node)) return undefined;
  const name = step.slice(1, -1);
  const item =
    node.items.find((one) => isMap(one) && one.get("name") === name) ??
    (/^\d+$/.test(name) ? node.items[Number(name)] : undefined);
  return item === undefined ? undefined : { node: item, offset: (item as Node).range?.[0] };
}
