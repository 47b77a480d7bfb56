/** How long to wait after an error before everything is read again. Pure: randomness is an argument. */

export interface Failure {
  readonly reason: string;
  readonly retryable: boolean;
}

/** What heals by reading progress again needs no patience. */
const QUICK = new Set([
  ...["ProgressMoved", "WindowPassed", "RefusedByDatabase", "RefusedByOutput", "TransactionConflict"],
  ...["MembershipLost", "ProducerFenced"],
]);
const FIRST_MS = 100;
const QUICK_MAX_MS = 1_000;
const MAX_MS = 10_000;
/** A person has to do something: asked again often enough that it goes on soon after. */
const PERSON_MS = 5_000;

/** Whether the failure is part of ordinary life: another worker has the partition, or a record has to be found. */
export function isQuick({ reason }: Failure): boolean {
  return QUICK.has(reason);
}

/** @param attempt failures since work was last finished, from 1 */
export function holdMs(failure: Failure, attempt: number, random: () => number): number {
  const quick = isQuick(failure);
  if (!failure.retryable && !quick) return Math.min(PERSON_MS, 1_000 * 2 ** Math.min(attempt - 1, 10));
  const bound = Math.min(quick ? QUICK_MAX_MS : MAX_MS, FIRST_MS * 2 ** Math.min(attempt - 1, 20));
  return Math.floor(random() * bound);
}
