/** The distinct W3C `traceparent` headers of a block's records: links of the span that handles them. */
import type { Cursor } from "./cursor.ts";

const LIMIT = 32;
const NAME = Buffer.from("traceparent");

export class Traceparents {
  readonly #seen = new Set<string>();

  get full(): boolean {
    return this.#seen.size >= LIMIT;
  }

  get list(): string[] {
    return [...this.#seen];
  }

  /** @param cursor at a record's headers: their number, then each name and value with its length */
  collect(cursor: Cursor): void {
    for (let left = cursor.varint(); left > 0; left--) {
      const name = cursor.take(cursor.varint());
      const length = cursor.varint();
      const value = length < 0 ? undefined : cursor.take(length);
      if (value !== undefined && value.length === 55 && name.equals(NAME)) {
        this.#seen.add(value.toString("latin1"));
        return;
      }
    }
  }
}
