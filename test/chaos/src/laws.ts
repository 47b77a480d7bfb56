/** What must hold between the log, the tables and the dead letters. Pure: what was read comes in, violations come out. */

export type Row = Readonly<Record<string, unknown>>;

/** A record of the log that must become no event. */
export interface ExpectedLetter {
  readonly partition: number;
  readonly offset: number;
  readonly reason: string;
  readonly value: Buffer | null;
}

/** A record of the dead-letter topic. */
export interface Letter {
  readonly topicId: string;
  readonly partition: number;
  readonly offset: number;
  readonly reason: string;
  /** Of a late event: the tables whose window was closed. */
  readonly tables: readonly string[];
  readonly value: Buffer | null;
}

export const LATE = "LateEvent";

export interface LetterFindings {
  readonly violations: readonly string[];
  /** Letters that repeat another one of the same place. */
  readonly repeated: number;
  /** By table, places `partition/offset` of events that are in the letters as late for it. */
  readonly late: ReadonlyMap<string, ReadonlySet<string>>;
  readonly lateEvents: number;
}

export function placeOf({ partition, offset }: { readonly partition: number; readonly offset: number }): string {
  return `${partition}/${offset}`;
}

/**
 * Every record that can become no event is among the letters, with its reason and its bytes, and, late events apart,
 * nothing else is. Letters are at least once: repetitions of a place count as one.
 */
export function judgeLetters(expected: readonly ExpectedLetter[], letters: readonly Letter[]): LetterFindings {
  const violations: string[] = [];
  const wanted = new Map(expected.map((one) => [placeOf(one), one]));
  const found = new Map<string, Letter>();
  const late = new Map<string, Set<string>>();
  let repeated = 0;
  for (const letter of letters) {
    const place = placeOf(letter);
    const earlier = found.get(place);
    if (earlier === undefined) found.set(place, letter);
    else repeated++;
    if (earlier !== undefined && (earlier.reason !== letter.reason || earlier.topicId !== letter.topicId))
      violations.push(
        `dead letters ${place}: ${earlier.reason} of topic ${earlier.topicId}, and ${letter.reason} of ${letter.topicId}`,
      );
    if (letter.reason === LATE)
      for (const table of letter.tables) late.set(table, (late.get(table) ?? new Set<string>()).add(place));
  }
  for (const [place, letter] of found) {
    const one = wanted.get(place);
    if (one === undefined && letter.reason !== LATE)
      violations.push(`dead letter ${place}: should not be there, with reason ${letter.reason}`);
    if (one === undefined) continue;
    if (letter.reason !== one.reason)
      violations.push(`dead letter ${place}: its reason is ${letter.reason}, should be ${one.reason}`);
    if (!sameBytes(letter.value, one.value)) violations.push(`dead letter ${place}: its value is not the record's`);
  }
  for (const [place, one] of wanted)
    if (!found.has(place)) violations.push(`dead letter ${place}: is missing, with reason ${one.reason}`);
  const lateEvents = new Set([...late.values()].flatMap((places) => [...places])).size;
  return { violations, repeated, late, lateEvents };
}

function sameBytes(a: Buffer | null, b: Buffer | null): boolean {
  return a === null || b === null ? a === b : a.equals(b);
}

/**
 * Rows of a table for which some events may or may not count: none of those that must is left out, none counts twice,
 * and where there is nothing to choose the row is exact. Values are not negative, so that every aggregate but an average
 * lies between that of what must count and that of all.
 *
 * @param must rows of the events that must count
 * @param may rows of all events that may count
 */
export function judgeBetween(
  table: string,
  actual: ReadonlyMap<string, Row>,
  must: ReadonlyMap<string, Row>,
  may: ReadonlyMap<string, Row>,
  equal: (a: unknown, b: unknown) => boolean,
): readonly string[] {
  const violations: string[] = [];
  for (const key of actual.keys()) if (!may.has(key)) violations.push(`${table} ${key}: should not be there`);
  for (const [key, most] of may) {
    const least = must.get(key);
    const row = actual.get(key);
    if (row === undefined) {
      if (least !== undefined) violations.push(`${table} ${key}: is missing`);
      continue;
    }
    const names = Object.keys(most);
    const open = least === undefined || !names.every((name) => equal(least[name], most[name]));
    for (const name of names)
      if (open ? !within(row[name], least?.[name], most[name], name) : !equal(row[name], most[name]))
        violations.push(
          `${table} ${key}: ${name} is ${String(row[name])}, should be ${open ? `from ${String(least?.[name])} to ` : ""}${String(most[name])}`,
        );
  }
  return violations;
}

/** Averages are not bounded by those of fewer and more events. */
const UNBOUNDED = new Set(["mean"]);
const SLACK = 1e-9;

/** NULL is what no value gives: fewer events may have none. */
function within(value: unknown, least: unknown, most: unknown, name: string): boolean {
  if (UNBOUNDED.has(name)) return true;
  if (value === null || value === undefined) return least === null || least === undefined;
  if (most === null || most === undefined) return false;
  if (least === null || least === undefined) {
    // Any event alone could have given it: no more than all of them did, unless it is a least.
    return typeof value !== "number" || typeof most !== "number" || value <= most * (1 + SLACK) || name === "least";
  }
  if (typeof value === "number" && typeof least === "number" && typeof most === "number") {
    const [low, high] = [Math.min(least, most), Math.max(least, most)];
    return value >= low * (1 - SLACK) && value <= high * (1 + SLACK);
  }
  const [text, low, high] = [String(value), ...[String(least), String(most)].sort()];
  return text >= (low ?? "") && text <= (high ?? "");
}
