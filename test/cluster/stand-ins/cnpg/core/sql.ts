import type { Database, DatabaseRole } from "./types.ts";

/** An SQL identifier, quoted. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** An SQL string, quoted; the server runs with standard_conforming_strings. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** The statements that make a role be as its DatabaseRole says; `memberOf` is what it is a member of now. */
export function roleStatements(
  spec: NonNullable<DatabaseRole["spec"]>,
  exists: boolean,
  memberOf: readonly string[],
  password: string | undefined,
): string[] {
  const role = identifier(spec.name);
  const option = (word: string, on: boolean | undefined) => (on === true ? word : `NO${word}`);
  const options = [
    option("SUPERUSER", spec.superuser),
    option("CREATEDB", spec.createdb),
    option("CREATEROLE", spec.createrole),
    option("INHERIT", spec.inherit ?? true),
    option("LOGIN", spec.login),
    option("REPLICATION", spec.replication),
    option("BYPASSRLS", spec.bypassrls),
    `CONNECTION LIMIT ${String(spec.connectionLimit ?? -1)}`,
    ...(spec.disablePassword === true ? ["PASSWORD NULL"] : []),
    ...(password === undefined ? [] : [`PASSWORD ${literal(password)}`]),
    ...(spec.validUntil === undefined ? [] : [`VALID UNTIL ${literal(spec.validUntil)}`]),
  ].join(" ");
  const wanted = spec.inRoles ?? [];
  return [
    `${exists ? "ALTER" : "CREATE"} ROLE ${role} WITH ${options}`,
    ...(spec.comment === undefined ? [] : [`COMMENT ON ROLE ${role} IS ${literal(spec.comment)}`]),
    ...wanted.filter((one) => !memberOf.includes(one)).map((one) => `GRANT ${identifier(one)} TO ${role}`),
    ...memberOf.filter((one) => !wanted.includes(one)).map((one) => `REVOKE ${identifier(one)} FROM ${role}`),
  ];
}

/** The statements that make a database be as its Database says. */
export function databaseStatements(spec: NonNullable<Database["spec"]>, exists: boolean): string[] {
  const database = identifier(spec.name);
  if (spec.ensure === "absent") return [dropDatabase(spec.name)];
  const options = [
    ...(spec.connectionLimit === undefined ? [] : [`CONNECTION LIMIT ${String(spec.connectionLimit)}`]),
    ...(spec.allowConnections === undefined ? [] : [`ALLOW_CONNECTIONS ${String(spec.allowConnections)}`]),
  ];
  if (!exists) return [[`CREATE DATABASE ${database} OWNER ${identifier(spec.owner)}`, ...options].join(" ")];
  return [
    `ALTER DATABASE ${database} OWNER TO ${identifier(spec.owner)}`,
    ...options.map((option) => `ALTER DATABASE ${database} WITH ${option}`),
  ];
}

/** Drops a database; fails while somebody is connected. */
export function dropDatabase(name: string): string {
  return `DROP DATABASE IF EXISTS ${identifier(name)}`;
}

/** Drops a role; fails while it owns anything. */
export function dropRole(name: string): string {
  return `DROP ROLE IF EXISTS ${identifier(name)}`;
}
