/**
 * Rows that something fails on, apart from those that it does not: whatever throws between an event and its row costs that
 * event and no other.
 */

/** Is done with some rows, in their order; it leaves nothing behind when it throws. */
export type Attempt = (rows: Int32Array) => Promise<void>;

/**
 * Does it with all rows, or with halves of them until those that fail stand alone.
 *
 * @param alone gets each row that fails even so, with what was thrown
 * @throws what was thrown when it fails without any row too: then no row is to blame
 */
export async function apart(
  rows: Int32Array,
  attempt: Attempt,
  alone: (row: number, error: unknown) => void,
): Promise<void> {
  const halve = async (some: Int32Array): Promise<void> => {
    const middle = some.length >>> 1;
    for (const half of [some.subarray(0, middle), some.subarray(middle)])
      try {
        await attempt(half);
      } catch (error) {
        if (half.length > 1) await halve(half);
        else alone(half[0] as number, error);
      }
  };
  const withoutRows = async (): Promise<void> => {
    await attempt(rows.subarray(0, 0));
  };
  try {
    await attempt(rows);
  } catch (error) {
    if (rows.length === 0) throw error;
    await withoutRows();
    if (rows.length > 1) await halve(rows);
    else alone(rows[0] as number, error);
    // What has come to fail meanwhile was not the rows' fault either.
    await withoutRows();
  }
}
