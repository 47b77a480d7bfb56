/** Text as SQL writes it. */

/** A quoted identifier. */
export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

const BARE = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** A field alone as SQL. */
export function fieldSql(name: string): string {
  return BARE.test(name) ? name : quote(name);
}

/** A field alone as DuckDB may print it, which quotes words of SQL too: an expression that is one of these is that field. */
export function fieldSpellings(name: string): readonly string[] {
  return [...new Set([fieldSql(name), quote(name)])];
}

/** A quoted text literal. */
export function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}
