/** From the changes of the stream to rows: one change gives one row, or two where a row's key has changed. */
import type { SourceConfig } from "@caudal/crds";
import {
  type BadRow,
  checkIdentity,
  type Column,
  keyText,
  type Layout,
  layoutOf,
  type Operation,
  type Row,
  rowOf,
  type Table,
  type Texts,
} from "../core/table.ts";
import { SourceMismatch } from "../errors.ts";
import type { Delete } from "./pgoutput/delete.ts";
import type { Insert } from "./pgoutput/insert.ts";
import type { Relation } from "./pgoutput/relation.ts";
import type { Tuple } from "./pgoutput/tuple.ts";
import type { Update } from "./pgoutput/update.ts";

/** The table as it was when the changes were made. */
export interface Streamed {
  readonly layout: Layout;
  /** For each of the layout's sources, where its value is in a tuple. */
  readonly positions: readonly number[];
}

/** A row that is to be sent, or that still lacks values which the stream does not have. */
export interface Change {
  readonly operation: Operation;
  /** undefined: large values that were not changed. */
  readonly texts: readonly (string | null | undefined)[];
}

/**
 * @param baseOf base type of a column's type
 * @throws SourceMismatch when the table has lost what is needed
 */
export function streamedLayout(
  config: SourceConfig,
  table: Table,
  relation: Relation,
  baseOf: (typeOid: number) => number,
): Streamed {
  const columns = relation.columns.map(({ name, typeOid }): Column => {
    const known = table.columns.find((column) => column.name === name && column.typeOid === typeOid);
    const typeName = known?.typeName ?? `oid ${typeOid}`;
    return { name, typeOid, baseOid: baseOf(typeOid), typeName, notNull: true, generated: undefined, shape: "" };
  });
  const identityColumns = relation.columns.flatMap(({ name, ofIdentity }) => (ofIdentity ? [name] : []));
  const then = { ...table, columns, identityColumns, replicaIdentity: relation.replicaIdentity };
  checkCarried(config, table, columns);
  const layout = layoutOf(config, then);
  checkIdentity(config.postgres.table, then, layout);
  const positions = layout.sources.map(({ column }) => relation.columns.findIndex(({ name }) => name === column));
  return { layout, positions };
}

/** A column that the table has and the log has not was left out by somebody. @throws SourceMismatch */
function checkCarried({ topic, postgres }: SourceConfig, table: Table, columns: readonly Column[]): void {
  const has = (list: readonly Column[], name: string): boolean => list.some((column) => column.name === name);
  const missing = topic.fields.find(({ name }) => has(table.columns, name) && !has(columns, name));
  if (missing === undefined) return;
  throw new SourceMismatch(
    `changes of ${postgres.table} come without ${missing.name}, which is a field of the topic ${topic.name}: the publication ${postgres.slot} leaves it out, or it is a generated column, or it was not there yet; let the publication have all columns, and raise postgres.resync (now ${postgres.resync}) to send the whole table again`,
  );
}

export function changesOf({ layout, positions }: Streamed, message: Insert | Update | Delete): Change[] {
  const pick = (tuple: Tuple) => positions.map((at) => tuple[at]);
  if (message.kind === "insert") return [{ operation: "insert", texts: pick(message.row) }];
  if (message.kind === "delete") return [{ operation: "delete", texts: pick(message.before) }];
  const before = message.before === undefined ? undefined : pick(message.before);
  const row = pick(message.row);
  // A value that was not changed is also in the old row, or in the old key, which is never NULL.
  const texts = row.map((text, at) => (text === undefined ? (before?.[at] ?? undefined) : text));
  const moved = before !== undefined && layout.key.some((at) => before[at] !== texts[at]);
  return [...(moved ? [{ operation: "delete" as const, texts: before }] : []), { operation: "update", texts }];
}

/** Positions of the values that the stream does not have. */
export function missingOf({ texts }: Change): number[] {
  return texts.flatMap((text, at) => (text === undefined ? [at] : []));
}

export function finishedRow({ layout }: Streamed, { operation, texts }: Change, found: Texts = []): Row | BadRow {
  const whole = texts.map((text, at) => (text === undefined ? (found[at] ?? null) : text));
  return rowOf(layout, whole, operation);
}

/** Names the row in messages. */
export function nameOf({ layout }: Streamed, { texts }: Change): string {
  return keyText(
    layout,
    texts.map((text) => text ?? null),
  );
}
