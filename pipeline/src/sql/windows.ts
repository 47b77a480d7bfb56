/** Windows and panes: event time cut into pieces aligned to 1970-01-01 UTC, and sessions, which are not. */
import { parseDuration, type Window } from "@caudal/crds";
import { SqlError } from "./sql-error.ts";

export interface WindowPlan {
  readonly size: number;
  readonly advance: number;
  readonly pane: number;
  readonly panes: boolean;
  /** Of a session: milliseconds that two neighbouring events are apart at most. */
  readonly gap?: number;
}

/** Hopping windows are kept directly while an event falls into at most so many. */
const MAX_DIRECT_WINDOWS = 2;
/** A view adds up at most so many panes for one window. */
const MAX_PANES = 1440;
const MAX_SIZE = 3660 * 86_400_000;

/**
 * How a table keeps its windows. Depends on the spec alone, so that it is the same for ever.
 *
 * @throws SqlError for windows that cannot be kept
 */
export function planWindow(window: Window): WindowPlan {
  if (window.session !== undefined) return planSession(window.session.gap);
  const form = window.tumbling ?? window.hopping;
  if (form === undefined) throw new SqlError("set window.tumbling, window.hopping or window.session");
  const size = parseDuration(form.size);
  const advance = "advance" in form && typeof form.advance === "string" ? parseDuration(form.advance) : size;
  if (size > MAX_SIZE) throw new SqlError(`a window of ${form.size} is too long: write at most 3660d`);
  if (advance > size)
    throw new SqlError("advance is longer than size, which would leave events out: write an advance of at most size");
  if (Math.ceil(size / advance) <= MAX_DIRECT_WINDOWS) return { size, advance, pane: size, panes: false };
  const pane = gcd(size, advance);
  if (size / pane > MAX_PANES)
    throw new SqlError(
      `each window would be the sum of ${size / pane} panes of ${pane} ms, at most ${MAX_PANES} are kept: write an advance that goes into size fewer times`,
    );
  return { size, advance, pane, panes: true };
}

/** A session of one event is as long as the gap: until then another event may come that belongs to it. */
function planSession(text: string): WindowPlan {
  const gap = parseDuration(text);
  if (gap > MAX_SIZE) throw new SqlError(`a gap of ${text} is too long: write at most 3660d`);
  return { size: gap, advance: gap, pane: gap, panes: false, gap };
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
