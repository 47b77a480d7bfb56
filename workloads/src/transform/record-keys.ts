/** Keys of records that a topic gets: the text of the field that the topic is keyed by, or what the source's record had. */
import { Members } from "../kernel/members.ts";
import { GrowingValues } from "../kernel/growing.ts";
import type { Rows, Values } from "../kernel/rows.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LETTER_N = 0x6e;

export class RecordKeys {
  readonly #members: Members | undefined;

  /** @param field of the topic's key; undefined where records keep the source's */
  constructor(field: string | undefined) {
    this.#members = field === undefined ? undefined : new Members([field]);
  }

  /** The keys of rows with `json` and `records`. */
  of({ json, records, count }: Rows): Values {
    if (json === undefined || records === undefined) return new GrowingValues().take();
    return this.#members === undefined ? records.keys : keysIn(this.#members, json, count);
  }
}

function keysIn(members: Members, { bytes, starts, ends }: Values, count: number): Values {
  const keys = new GrowingValues();
  for (let row = 0; row < count; row++) {
    members.find(bytes, starts[row] as number, ends[row] as number);
    const from = members.starts[0] as number;
    const to = members.ends[0] as number;
    if (from < 0 || bytes[from] === LETTER_N) keys.addNull();
    else if (bytes[from] !== QUOTE) keys.add(bytes, from, to);
    else if (hasEscapes(bytes, from, to)) addText(keys, JSON.parse(bytes.toString("utf8", from, to)) as string);
    else keys.add(bytes, from + 1, to - 1);
  }
  return keys.take();
}

function hasEscapes(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] === BACKSLASH) return true;
  return false;
}

function addText(keys: GrowingValues, text: string): void {
  const bytes = Buffer.from(text);
  keys.add(bytes, 0, bytes.length);
}
