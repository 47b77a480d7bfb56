/** Sessions by a plain loop, to hold the product's SQL against. */

export interface Visit {
  /** Epoch milliseconds. */
  readonly ts: number;
  readonly user?: string | null;
  readonly n?: number | null;
}

/** Group, first and last event in epoch milliseconds, and what an aggregate each gives. */
export interface Session {
  readonly user: string | null;
  readonly first: number;
  readonly last: number;
  readonly count: number;
  readonly sum: number | null;
  readonly least: number | null;
}

/** @param gapMs neighbours at most so far apart are of one session */
export function sessionsOf(visits: readonly Visit[], gapMs: number): readonly Session[] {
  const sorted = [...visits].sort((a, b) => order(a.user ?? null, b.user ?? null) || a.ts - b.ts);
  const sessions: Session[] = [];
  for (const { ts, user = null, n = null } of sorted) {
    const open = sessions.at(-1);
    const added = { user, first: ts, last: ts, count: 1, sum: n, least: n };
    if (open === undefined || open.user !== user || ts - open.last > gapMs) sessions.push(added);
    else
      sessions[sessions.length - 1] = {
        ...{ user, first: open.first, last: ts, count: open.count + 1 },
        sum: n === null ? open.sum : (open.sum ?? 0) + n,
        least: n === null || (open.least !== null && open.least < n) ? open.least : n,
      };
  }
  return sessions;
}

/** NULL first, then bytewise. */
function order(a: string | null, b: string | null): number {
  if (a === null || b === null) return Number(b === null) - Number(a === null);
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
