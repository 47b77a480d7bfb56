/** What `*` of a select stands for: `* exclude (…) replace (… as …) rename (… as …)`. */
import type { TopicConfig } from "@caudal/crds";
import type { Scope } from "./scope.ts";
import { SqlError } from "./sql-error.ts";
import type { Expression, Node } from "./syntax.ts";

type Field = TopicConfig["fields"][number];

export interface StarItem {
  readonly name: string;
  readonly field: Field;
  /** What stands in its place. */
  readonly sql?: string;
}

/** @throws SqlError for names that are no fields, and for what stands for columns in another way */
export async function starItems(
  scope: Scope,
  { fields }: TopicConfig,
  expression: Expression,
): Promise<readonly StarItem[]> {
  const { node } = expression;
  if (node.columns === true || (node.expr ?? null) !== null || (node.relation_name ?? "") !== "")
    throw new SqlError("it stands for many columns: write *, * exclude (field), or name the fields");
  const { exclude_list: excluded = [], replace_list: replaced = [], rename_list: renamed = [] } = node;
  for (const name of namedIn(node))
    if (!fields.some((field) => same(field.name, name)))
      throw new SqlError(
        `${name} is no field of the topic: write one of ${fields.map((field) => field.name).join(", ")}`,
      );
  const items: StarItem[] = [];
  for (const field of fields) {
    if (excluded.some((name) => same(name, field.name))) continue;
    const place = replaced.findIndex(({ key }) => same(key, field.name));
    const name = renamed.find(({ key }) => same(key.column, field.name))?.value ?? field.name;
    if (place < 0) items.push({ name, field });
    else items.push({ name, field, sql: await scope.print(expression, `.replace_list[${place}].value`) });
  }
  if (items.length === 0) throw new SqlError("it leaves out every field: name what is passed on");
  return items;
}

function namedIn({ exclude_list: excluded = [], replace_list: replaced = [], rename_list: renamed = [] }: Node) {
  return [...excluded, ...replaced.map(({ key }) => key), ...renamed.map(({ key }) => key.column)];
}

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
