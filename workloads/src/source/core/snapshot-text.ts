/**
 * The text of a snapshot in a form that the server reads (`xmin:xmax:xip,…`). One that it has made of its log may end
 * before it begins, as in `2600:2598:`, when its last transactions have changed nothing of the catalog: it writes that,
 * and refuses it as a pg_snapshot. Whatever is before the beginning is visible, so both are the beginning then.
 */
export function snapshotText(written: string): string {
  const [begin = "", end = "", open = ""] = written.split(":");
  return end !== "" && BigInt(begin) > BigInt(end) ? `${begin}:${begin}:${open}` : written;
}
