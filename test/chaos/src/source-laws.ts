/** What must hold between a table's changes and what a source has sent of them. Pure: what was read comes in. */

/** A change as the table's own trigger has noted it, in the order in which the row has changed. */
export interface Noted {
  /** The row that it left, or that it deleted, by a number that is given once. */
  readonly label: string;
  /** Number of its transaction. */
  readonly xid: bigint;
  /** Whether it does not fit the topic's fields: it has to be a dead letter. */
  readonly bad: boolean;
  /** Whether the row was gone then. */
  readonly gone: boolean;
}

/** What was sent of one row while the source had one slot, in the order of the topic. */
export interface Stretch {
  readonly sent: readonly { readonly label: string; readonly snapshot: boolean }[];
  /** Labels of its dead letters. */
  readonly letters: readonly string[];
  /** Changes of this transaction and of later ones are after the slot was made: the log has them. */
  readonly from: bigint;
}

/**
 * Cdc mode: each stretch is a run of the row's changes, without one missing, twice, or in another order, that begins with
 * the row of the slot's snapshot or before, and not after, the first change that the slot has. The last stretch goes to
 * the last change. Between two, the slot was lost with changes in it.
 */
export function judgeChanges(key: string, noted: readonly Noted[], stretches: readonly Stretch[]): string[] {
  const violations: string[] = [];
  let sentTo = 0;
  for (const [index, stretch] of stretches.entries()) {
    const { sent, letters, from } = stretch;
    const isLast = index === stretches.length - 1;
    const length = sent.length + letters.length;
    const found = noted.findIndex(({ xid }) => xid >= from);
    const firstOfSlot = found < 0 ? noted.length : found;
    const title = `${key}, slot ${index + 1}`;
    if (sent.some(({ snapshot }, at) => snapshot && at > 0))
      violations.push(`${title}: a row of the snapshot came late`);
    if (length === 0) {
      const isThere = noted.at(-1)?.gone === false;
      const missing = isLast ? noted.slice(isThere ? Math.min(firstOfSlot, noted.length - 1) : firstOfSlot) : [];
      if (missing.length > 0) violations.push(`${title}: nothing was sent of ${labelsOf(missing)}`);
      continue;
    }
    // The snapshot shows the row as the change before has left it, which may have been sent already, or buried.
    const mayRepeat = letters.length > 0 || sent[0]?.snapshot === true;
    const least = mayRepeat ? Math.max(0, sentTo - 1) : sentTo;
    const starts = isLast ? [noted.length - length] : range(least, noted.length - length);
    const start = starts.find((at) => at >= least && isRun(noted.slice(at, at + length), stretch));
    if (start === undefined) {
      const got = [...sent.map(({ label }) => label), ...letters.map((label) => `letter ${label}`)].join(", ");
      violations.push(`${title}: ${got} is not ${isLast ? "the end" : "a run"} of ${labelsOf(noted.slice(least))}`);
      continue;
    }
    if (start > firstOfSlot)
      violations.push(`${title}: ${labelsOf(noted.slice(firstOfSlot, start))} is missing before`);
    sentTo = start + length;
  }
  return violations;
}

function isRun(changes: readonly Noted[], { sent, letters }: Stretch): boolean {
  const good = changes.filter(({ bad }) => !bad).map(({ label }) => label);
  const bad = changes.filter((change) => change.bad).map(({ label }) => label);
  return (
    sameList(
      good,
      sent.map(({ label }) => label),
    ) && sameList(bad.sort(), [...letters].sort())
  );
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((one, at) => one === b[at]);
}

function labelsOf(changes: readonly Noted[]): string {
  return changes.map(({ label, bad }) => (bad ? `bad ${label}` : label)).join(", ");
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, at) => from + at);
}

/** A row version in timestamp mode. */
export interface Version {
  /** Rises with every change of the row. */
  readonly change: number;
  readonly bad: boolean;
}

/**
 * Timestamp mode: of the versions that a row has had, each comes at most once and in their order, none comes that was
 * undone, and the last one comes.
 *
 * @param noted all versions that were committed
 * @param last the row as it is in the table; undefined when it is gone
 */
export function judgeVersions(
  key: string,
  sent: readonly number[],
  letters: readonly number[],
  noted: readonly Version[],
  last: Version | undefined,
): string[] {
  const violations: string[] = [];
  const bad = new Map(noted.map((version) => [version.change, version.bad]));
  const isIn = (list: readonly number[], change: number): boolean => list.includes(change);
  sent.forEach((change, at) => {
    if (at > 0 && change <= (sent[at - 1] ?? 0))
      violations.push(`${key}: version ${change} came after ${sent[at - 1]}`);
  });
  for (const [name, list, isBad] of [
    ["topic", sent, false],
    ["dead letters", letters, true],
  ] as const) {
    for (const change of new Set(list)) {
      if (bad.get(change) !== isBad) violations.push(`${key}: version ${change} should not be in the ${name}`);
      const times = list.filter((one) => one === change).length;
      if (times > 1) violations.push(`${key}: version ${change} is ${times} times in the ${name}`);
    }
  }
  if (last !== undefined && !isIn(last.bad ? letters : sent, last.change))
    violations.push(
      `${key}: version ${last.change}, which is in the table, is not in the ${last.bad ? "dead letters" : "topic"}`,
    );
  return violations;
}
