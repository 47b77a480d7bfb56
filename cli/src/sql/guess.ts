/** What a name that nothing has may have meant. Pure. */

/** Guesses that are told. */
const MOST = 3;

/**
 * The candidates nearest to a name: alike but for case, quotes, dashes, a few letters, or what stands around them.
 *
 * @param candidates as they are written in SQL, in quotes where they need them
 * @returns the nearest first, as they are written; none where nothing is near
 */
export function nearest(name: string, candidates: Iterable<string>): readonly string[] {
  const meant = letters(name);
  const measured = [...new Set(candidates)].flatMap((candidate) => {
    const found = likeness(meant, letters(candidate));
    return found === undefined ? [] : { candidate, ...found };
  });
  // A part of a name stands for the whole where nothing else is alike.
  const alike = measured.filter(({ isPart }) => !isPart);
  const best = Math.min(...alike.map(({ distance }) => distance));
  return (alike.length > 0 ? alike.filter(({ distance }) => distance <= best + 1) : measured)
    .sort((one, other) => one.distance - other.distance)
    .slice(0, MOST)
    .map(({ candidate }) => candidate);
}

/** `; did you mean "app-events"?`, or `otherwise` where nothing is near. */
export function didYouMean(name: string, candidates: Iterable<string>, otherwise = ""): string {
  const near = nearest(name, candidates);
  const last = near.at(-1);
  if (last === undefined) return otherwise;
  const before = near.slice(0, -1);
  return `; did you mean ${before.length === 0 ? last : `${before.join(", ")} or ${last}`}?`;
}

/** What of a name counts: letters and digits; its schema alone is not left out. */
function letters(name: string): string {
  return name
    .normalize("NFKD")
    .toLowerCase()
    .replace(/^public\./, "")
    .replace(/[^\p{L}\p{N}]/gu, "");
}

/** undefined for what is not near. */
function likeness(
  name: string,
  candidate: string,
): { readonly distance: number; readonly isPart: boolean } | undefined {
  if (name === "" || candidate === "") return undefined;
  const distance = editDistance(name, candidate);
  if (distance <= Math.max(1, Math.floor(Math.min(name.length, candidate.length) / 3)))
    return { distance, isPart: false };
  const [short, long] = name.length < candidate.length ? [name, candidate] : [candidate, name];
  return short.length >= 3 && long.includes(short) ? { distance, isPart: true } : undefined;
}

/** Insertions, deletions, replacements and exchanges of neighbours. */
export function editDistance(one: string, other: string): number {
  const [a, b] = [[...one], [...other]];
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + same);
      if (a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, (before[j - 2] ?? Infinity) + 1);
      next.push(least);
    }
    [before, row] = [row, next];
  }
  return row[b.length] ?? 0;
}
