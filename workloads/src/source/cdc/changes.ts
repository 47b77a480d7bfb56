/** From the changes of the stream to rows: one change gives one row, or two where a row's key has changed. */
import type { SourceConfig } from "@caudal/crds";
import {
  type BadRow,
  checkIdentity,
  keyText,
  type Layout,
  layoutOf,
  type Operation,
  type Row,
  rowOf,
  type Table,
  type Texts,
} from "../core/table.ts";
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
  const columns = relation.columns.map(({ name, typeOid }) => {
    const known = table.columns.find((column) => column.name === name && column.typeOid === typeOid);
    return { name, typeOid, baseOid: baseOf(typeOid), typeName: known?.typeName ?? `oid ${typeOid}`, notNull: true };
  });
  const then = { ...table, columns, replicaIdentity: relation.replicaIdentity };
  const layout = layoutOf(config, then);
  checkIdentity(config.postgres.table, then, layout);
  const positions = layout.sources.map(({ column }) => relation.columns.findIndex(({ name }) => name === column));
  return { layout, positions };
}

export function changesOf({ layout, positions }: Streamed, message: Insert | Update | Delete): Change[] {
  const pick = (tuple: Tuple) => positions.map((at) => tuple[at]);
  if (message.kind === "insert") return [{ operation: "insert", texts: pick(message.row) }];
  if (message.kind === "delete") return [{ operation: "delete", texts: pick(message.before) }];
  const before = message.before === undefined ? undefined : pick(message.before);
  const row = pick(message.row);
  const texts = message.full ? row.map((text, at) => (text === undefined ? before?.[at] : text)) : row;
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
