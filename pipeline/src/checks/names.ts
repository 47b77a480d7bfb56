/** Names that must be unique or are taken. */
import { RESERVED_COLUMNS } from "@caudal/crds";
import { databaseName } from "../names.ts";
import { stagesOf, tablesOf } from "../stages.ts";
import { type Check, duplicates } from "./check.ts";

/** Stages of different lists share one space of names: each names a Deployment and a consumer group. */
export const stageNamesAreUnique: Check = ({ pipeline }) =>
  duplicates(
    stagesOf(pipeline),
    ({ name }) => name,
    ({ name, role }) => `spec.${role}s[${name}]`,
  ).map(({ name, first, second }) => ({
    reason: "DuplicateStage",
    message: `${second}: the name ${name} is also that of ${first}: give one of the two stages another name`,
  }));

export const tableNamesAreUnique: Check = ({ pipeline }) =>
  duplicates(
    tablesOf(pipeline),
    ({ name }) => name,
    ({ path }) => path,
  ).map(({ name, first, second }) => ({
    reason: "DuplicateTable",
    message: `${second}: the table ${name} is already that of ${first}: give one of the two another name`,
  }));

/** Two pipelines of one database cannot keep one table: the older one has it. */
export const tablesAreFree: Check = ({ pipeline, claims }) =>
  tablesOf(pipeline).flatMap(({ name, path }) => {
    const owner = claims?.get(name);
    if (owner === undefined) return [];
    return {
      reason: "TableClaimed",
      message: `${path}: the pipeline ${owner} keeps a table ${name} in the same database: use another name, or another database`,
    };
  });

const AS_NAME = /\bas\s+"?([a-z_][a-z0-9_]*)"?\s*$/i;

/** Columns of a table come from groups and aggregates; some names are the engine's. */
export const columnsAreNotReserved: Check = ({ pipeline }) =>
  (pipeline.spec.aggregators ?? []).flatMap(({ name, tables }) =>
    tables.flatMap(({ name: table, groupBy, aggregates }) =>
      [...placed("groupBy", groupBy), ...placed("aggregates", aggregates)].flatMap(({ place, text }) => {
        const column = (AS_NAME.exec(text)?.[1] ?? text).trim().toLowerCase();
        if (!RESERVED_COLUMNS.some((reserved) => reserved === column)) return [];
        return {
          reason: "ReservedColumn",
          message:
            `spec.aggregators[${name}].tables[${table}].${place}: every table has a column ${column} of its own: write ` +
            "`as` another name",
        };
      }),
    ),
  );

function placed(list: string, texts: readonly string[]): readonly { readonly place: string; readonly text: string }[] {
  return texts.map((text, index) => ({ place: `${list}[${index}]`, text }));
}

const RESERVED_DATABASES = ["postgres", "template0", "template1"];

export const databaseNameIsFree: Check = ({ pipeline }) => {
  const { database } = pipeline.spec;
  if (database === undefined || database.secretRef !== undefined) return [];
  const name = databaseName(pipeline.metadata.name, database.name);
  if (!RESERVED_DATABASES.includes(name)) return [];
  const where = database.name === undefined ? "the pipeline's name, which names the database," : "spec.database.name";
  return [
    {
      reason: "ReservedDatabase",
      message: `${where}: PostgreSQL has a database ${name} of its own: set spec.database.name to another`,
    },
  ];
};
