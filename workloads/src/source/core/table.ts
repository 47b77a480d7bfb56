/** A table of the source database, and how its rows become records of the topic. Pure. */
import { fieldPlace, type JsonPath, pathOf, type SourceConfig } from "@caudal/crds";
import { type DocumentForm, documentForm } from "@caudal/pipeline/json";
import { identifier, qualified } from "../../postgres/core/identifiers.ts";
import { SourceMismatch } from "../errors.ts";
import { isTime, type Misfit, typesFor, valueWriter, type WriteValue } from "./value.ts";

export interface Column {
  readonly name: string;
  /** Of the type itself, and of its base type where it is a domain. */
  readonly typeOid: number;
  readonly baseOid: number;
  readonly typeName: string;
  readonly notNull: boolean;
  readonly generated: "stored" | "virtual" | undefined;
  /** Another one when the column was made anew, or when a change of its type may have changed values. */
  readonly shape: string;
}

export interface Table {
  readonly oid: number;
  /** As PostgreSQL has them, which may differ from the configuration in nothing but its quotes. */
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly Column[];
  readonly partitioned: boolean;
  /** Not so for unlogged tables. */
  readonly logged: boolean;
  /** Whether the database knows the encoding of its texts; SQL_ASCII keeps any bytes, and they come as they are. */
  readonly encoded: boolean;
  readonly primaryKey: readonly string[];
  /** Columns of each unique index over all rows. */
  readonly uniqueKeys: readonly (readonly string[])[];
  /** d: the primary key, i: an index, f: the whole row, n: nothing. */
  readonly replicaIdentity: string;
  /** Of the index that is the replica identity, or of the primary key where that is. */
  readonly identityColumns: readonly string[];
}

/** A field of the topic and the column that it comes from. */
export interface Source {
  readonly field: string;
  readonly column: string;
  readonly nullable: boolean;
  readonly write: WriteValue;
  /** Where in the record's JSON it is; undefined for the record's key, which is beside it. */
  readonly path: JsonPath | undefined;
}

/** How a row is read and written. */
export interface Layout {
  readonly sources: readonly Source[];
  /** Of the JSON: the sources that have a path, in their order, and behind them the operation, where a field gets it. */
  readonly form: DocumentForm;
  /** Positions in `sources`. */
  readonly key: readonly number[];
  readonly timestamp: { readonly at: number; readonly column: Column } | undefined;
  readonly operationField: string | undefined;
  /** Of the table. */
  readonly encoded: boolean;
}

/** @throws SourceMismatch for whatever no row could satisfy */
export function layoutOf(config: SourceConfig, table: Table): Layout {
  const { topic, postgres } = config;
  const title = postgres.table;
  const { operationField, timestampColumn } = postgres;
  const sources = topic.fields
    .filter((field) => field.name !== operationField && isOfRows(field))
    .map((field) => {
      const { name, type, nullable } = field;
      const column = table.columns.find((candidate) => candidate.name === name);
      if (column === undefined)
        throw new SourceMismatch(
          `${title} has no column ${name}, which is a field of the topic ${topic.name}: remove the field, or name it as a column`,
        );
      const write = valueWriter(type, column.baseOid);
      if (write === undefined)
        throw new SourceMismatch(
          `${title}.${name} is of type ${column.typeName}, which a field of type ${type} cannot hold (it holds ${typesFor(type)}): declare another type, or string`,
        );
      return { field: name, column: name, nullable, write, path: pathOf(field) };
    });
  const key = keyOf(config, table).map((name) => {
    const at = sources.findIndex(({ column }) => column === name);
    if (at < 0)
      throw new SourceMismatch(
        `${title} is keyed by ${name}, and the topic ${topic.name} has no such field: add it to the topic's fields`,
      );
    return at;
  });
  const operation = topic.fields.find(({ name }) => name === operationField);
  const paths = [...sources, ...(operation === undefined ? [] : [{ path: pathOf(operation) }])];
  const form = documentForm(paths.flatMap(({ path }) => (path === undefined ? [] : [path])));
  return {
    sources,
    form,
    key,
    timestamp: timestampOf(title, timestampColumn, table, sources),
    operationField,
    encoded: table.encoded,
  };
}

/** Whether a row has it: what Kafka gives a record, no column has. */
function isOfRows(field: SourceConfig["topic"]["fields"][number]): boolean {
  const { kind } = fieldPlace(field);
  return kind === "value" || kind === "key";
}

function timestampOf(
  title: string,
  name: string | undefined,
  table: Table,
  sources: readonly Source[],
): Layout["timestamp"] {
  if (name === undefined) return undefined;
  const at = sources.findIndex(({ column }) => column === name);
  const column = table.columns.find((candidate) => candidate.name === name);
  if (at < 0 || column === undefined)
    throw new SourceMismatch(`timestampColumn ${name} must be a column of ${title} and a field of the topic`);
  if (!isTime(column.baseOid))
    throw new SourceMismatch(
      `${title}.${name} is of type ${column.typeName}: timestampColumn needs one of type timestamptz or timestamp`,
    );
  return { at, column };
}

/** @returns the columns that identify a row */
function keyOf({ topic, postgres }: SourceConfig, table: Table): readonly string[] {
  const title = postgres.table;
  const key = postgres.keyColumns ?? table.primaryKey;
  if (key.length === 0)
    throw new SourceMismatch(`${title} has no primary key: name the columns that identify a row in keyColumns`);
  if (!table.uniqueKeys.some((columns) => columns.every((name) => key.includes(name))))
    throw new SourceMismatch(
      `no unique index of ${title} says that ${key.join(", ")} identify a row: make one over these columns, or name others in keyColumns`,
    );
  for (const name of key)
    if (table.columns.find((column) => column.name === name)?.notNull !== true)
      throw new SourceMismatch(
        `${title}.${name} may be NULL, and a key may not: alter table ${qualified(table)} alter column ${identifier(name)} set not null`,
      );
  if (topic.key !== undefined && (key.length > 1 || key[0] !== topic.key))
    throw new SourceMismatch(
      `the topic ${topic.name} has the key ${topic.key}, and rows of ${title} are identified by ${key.join(", ")}: ` +
        (key.length > 1
          ? "leave the topic's key out, and records are keyed by all of them"
          : `write key: ${key[0] ?? ""}`),
    );
  return key;
}

/** Columns that identify a row. */
export function keyColumnsOf({ sources, key }: Layout): string[] {
  return key.map((at) => sources[at]?.column ?? "");
}

/** Updates and deletes must say which row they are about. @throws SourceMismatch */
export function checkIdentity(
  title: string,
  table: Pick<Table, "schema" | "name" | "replicaIdentity" | "identityColumns">,
  layout: Layout,
): void {
  if (table.replicaIdentity === "f") return;
  const missing = keyColumnsOf(layout).filter((name) => !table.identityColumns.includes(name));
  if (missing.length === 0) return;
  throw new SourceMismatch(
    `changes of ${title} do not say ${missing.join(", ")}, which identify a row: alter table ${qualified(table)} replica identity full, or using an index over these columns`,
  );
}

export type Operation = "snapshot" | "insert" | "update" | "delete";

/** What becomes of a row: a record, or a dead letter. */
export interface Row {
  readonly key: string;
  readonly value: string | null;
}

export interface BadRow extends Row {
  /** CamelCase. */
  readonly reason: string;
  readonly detail: string;
}

/** Text of each of the layout's sources, in their order. */
export type Texts = readonly (string | null)[];

/** @param deleted nothing but the key needs to be there */
export function rowOf(layout: Layout, texts: Texts, operation: Operation): Row | BadRow {
  const { sources, form, operationField, encoded } = layout;
  const values: string[] = [];
  let bad: string | undefined;
  sources.forEach(({ field, nullable, write, path }, at) => {
    const text = texts[at] ?? null;
    const written = text === null ? "null" : encoded || !isBroken(text) ? write(text) : NO_UTF8;
    if (text === null && !nullable && operation !== "delete") bad ??= `${field} is NULL, and the field is not nullable`;
    if (typeof written !== "string") bad ??= `${field}: ${(written satisfies Misfit).misfit}`;
    else if (path !== undefined) values.push(written);
  });
  const key = keyText(layout, texts);
  if (bad !== undefined) return { key, value: rawJson(layout, texts), reason: "ValueDoesNotFit", detail: bad };
  if (operation === "delete" && operationField === undefined) return { key, value: null };
  if (operationField !== undefined) values.push(`"${operation}"`);
  const parts = form.order.map((place, index) => `${form.prefixes[index] ?? ""}${values[place] ?? "null"}`);
  return { key, value: parts.join("") + form.end };
}

/** What stands for bytes that are no UTF-8. */
const REPLACEMENT = "\ufffd";
const NO_UTF8: Misfit = {
  misfit: "the text is no UTF-8, and the database, whose encoding is SQL_ASCII, does not say what it is",
};

function isBroken(text: string): boolean {
  return text.includes(REPLACEMENT);
}

/**
 * For each row of a page the values behind which the next page begins. Bytes that are no UTF-8 cannot be asked for: such a
 * row has the cursor of the one before it.
 *
 * @param order positions of the columns by which rows are ordered, in the layout's sources
 * @param before the page's own
 */
export function cursorsOf(
  { encoded }: Pick<Layout, "encoded">,
  order: readonly number[],
  rows: readonly Texts[],
  before: readonly string[] | null,
): (readonly string[] | null)[] {
  let cursor = before;
  return rows.map((texts) => {
    const values = order.map((at) => texts[at] ?? "");
    if (encoded || !values.some(isBroken)) cursor = values;
    return cursor;
  });
}

/** @returns the cursor of the page behind one that is full @throws SourceMismatch where it would be read again for ever */
export function nextCursor(
  cursors: readonly (readonly string[] | null)[],
  before: readonly string[] | null,
): readonly string[] {
  const last = cursors.at(-1) ?? null;
  if (last === null || last === before)
    throw new SourceMismatch(
      `the keys of ${cursors.length} rows one behind the other are no UTF-8: the source cannot tell where it is; convert the table's texts to UTF-8`,
    );
  return last;
}

/** Text of the one key column, or a JSON object of several. */
export function keyText({ sources, key }: Layout, texts: Texts): string {
  const values = key.map((at) => {
    const text = texts[at] ?? null;
    const written = text === null ? "null" : (sources[at]?.write(text) ?? "null");
    return { field: sources[at]?.field ?? "", json: typeof written === "string" ? written : JSON.stringify(text) };
  });
  const [only] = values;
  if (values.length === 1 && only !== undefined)
    return only.json.startsWith('"') ? (JSON.parse(only.json) as string) : only.json;
  return `{${values.map(({ field, json }) => `${JSON.stringify(field)}:${json}`).join(",")}}`;
}

/** The row as PostgreSQL wrote it: every value as text. */
function rawJson({ sources }: Layout, texts: Texts): string {
  return JSON.stringify(Object.fromEntries(sources.map(({ column }, at) => [column, texts[at] ?? null])));
}
