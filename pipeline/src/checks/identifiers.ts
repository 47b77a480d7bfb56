/** Names of tables and columns of PostgreSQL that the API server's rules let through and that cannot be. */
import { nameProblem, readTableName, type TableRef } from "@caudal/crds";
import { type StageSpec, stagesOf } from "../stages.ts";
import type { Problem } from "../problem.ts";
import type { Check } from "./check.ts";

/** Every text that names a table can be read, and tables are written where people's tables are. */
export const tablesCanBeNamed: Check = ({ pipeline }) =>
  stagesOf(pipeline).flatMap((stage) =>
    namedTables(stage).flatMap(({ path, text, written }) => {
      const table = readTableName(text);
      const message = typeof table === "string" ? table : written ? schemaProblem(table) : undefined;
      return message === undefined
        ? []
        : { reason: "TableNameInvalid", message: `${pathOf(stage)}.${path}: ${message}` };
    }),
  );

/** Columns that lookups match by, which are keys of a map and so none of the API server's business. */
export const matchedColumnsCanBeNamed: Check = ({ pipeline }) =>
  (pipeline.spec.transforms ?? []).flatMap(({ name, lookups = [] }) =>
    lookups.flatMap((lookup) =>
      Object.keys(lookup.match).flatMap((column): Problem[] => {
        const message = nameProblem(column);
        if (message === undefined) return [];
        return [
          {
            reason: "ColumnNameInvalid",
            message: `spec.transforms[${name}].lookups[${lookup.name}].match: ${message}`,
          },
        ];
      }),
    ),
  );

interface NamedTable {
  readonly path: string;
  readonly text: string;
  /** Whether the stage writes to it, and makes it. */
  readonly written: boolean;
}

function namedTables(stage: StageSpec): NamedTable[] {
  switch (stage.role) {
    case "generator":
      return [];
    case "source":
      return [{ path: "postgres.table", text: stage.postgres.table, written: false }];
    case "transform":
      return [
        ...(stage.lookups ?? []).map(({ name, table }) => ({
          path: `lookups[${name}].table`,
          text: table,
          written: false,
        })),
        ...stage.to.flatMap(({ name, table }) =>
          table === undefined ? [] : { path: `to[${name}].table`, text: table.name, written: true },
        ),
      ];
    case "aggregator":
      return stage.tables.map(({ name }) => ({ path: `tables[${name}]`, text: name, written: true }));
  }
}

function schemaProblem({ schema }: TableRef): string | undefined {
  return schema === "caudal" || schema === "information_schema" || schema.startsWith("pg_")
    ? `the schema ${schema} is not for tables of pipelines: write the table without it, or another schema`
    : undefined;
}

function pathOf({ role, name }: StageSpec): string {
  return `spec.${role}s[${name}]`;
}
