/** What the parts of a stream are called. Pure. */

/** Who a stream's part of the spec belongs to: one manager a stream, so that each goes alone. */
export function managerOf(stream: string): string {
  return `caudal-sql-${stageName(stream)}`;
}

/** A stage's name is a DNS label. */
export function stageName(stream: string): string {
  return stream
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^[^a-z]+|-+$/g, "")
    .slice(0, 30)
    .replace(/-+$/, "");
}
