/** Text as SQL writes it. */

/** A quoted identifier. */
export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A quoted text literal. */
export function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}
