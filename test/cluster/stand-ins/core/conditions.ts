export interface Condition {
  type: string;
  status: "True" | "False" | "Unknown";
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

/** Stamps conditions with the time of their last change, which an unchanged status keeps from before. */
export function stampConditions(
  wanted: readonly Condition[],
  before: readonly Condition[] | undefined,
  now: string,
): Condition[] {
  return wanted.map((condition) => {
    const previous = before?.find(({ type, status }) => type === condition.type && status === condition.status);
    return { ...condition, lastTransitionTime: previous?.lastTransitionTime ?? now };
  });
}
