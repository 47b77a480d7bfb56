/** Fields by where they are in an object: members of the root, and of objects in it, as the scanner looks for them. */
import { pathOf, type TopicConfig } from "@caudal/crds";

export interface TreeNode {
  /** Name of the member. */
  readonly name: string;
  /** Place of the field in the topic; undefined for an object that holds fields. */
  readonly field: number | undefined;
  /** Of an object, its members among the nodes: [first, last). */
  readonly first: number;
  readonly last: number;
}

type Members = Map<string, Members | number>;

/**
 * @returns the members of the root, behind them those of the objects in it, and so on, each object's together; undefined
 * where a field is in a list, or two are in one place
 */
export function fieldTree({ fields }: TopicConfig): readonly TreeNode[] | undefined {
  const root: Members = new Map();
  for (const [index, field] of fields.entries()) if (!add(root, pathOf(field) ?? [field.name], index)) return undefined;
  const nodes: TreeNode[] = [];
  const levels = [root];
  let next = root.size;
  for (const members of levels)
    for (const [name, member] of members) {
      if (typeof member === "number") nodes.push({ name, field: member, first: 0, last: 0 });
      else {
        nodes.push({ name, field: undefined, first: next, last: (next += member.size) });
        levels.push(member);
      }
    }
  return nodes;
}

/** Number of the root's members: the first nodes. */
export function rootSize({ fields }: TopicConfig): number {
  return new Set(fields.map((field) => pathOf(field)?.[0] ?? field.name)).size;
}

function add(root: Members, path: readonly (string | number)[], field: number): boolean {
  let members = root;
  for (const step of path.slice(0, -1)) {
    if (typeof step === "number") return false;
    const below = members.get(step) ?? new Map<string, Members | number>();
    if (typeof below === "number") return false;
    members.set(step, below);
    members = below;
  }
  const last = path.at(-1);
  if (typeof last !== "string" || members.has(last)) return false;
  members.set(last, field);
  return true;
}
