/** How a group's leader spreads the partitions of a topic: evenly, and with as few moves as that allows. */

export interface Claim {
  readonly memberId: string;
  /** What the member had in `generation`; of two that claim a partition, the later generation has it. */
  readonly owned: readonly number[];
  readonly generation: number;
}

/**
 * @param partitions how many the topic has
 * @returns each member's partitions, ascending; their numbers differ by at most one
 */
export function assignPartitions(claims: readonly Claim[], partitions: number): Map<string, number[]> {
  const assigned = new Map<string, number[]>();
  if (claims.length === 0) return assigned;
  const owner = new Map<number, Claim>();
  for (const claim of [...claims].sort(byGenerationThenId))
    for (const partition of claim.owned) if (partition < partitions) owner.set(partition, claim);
  const held = Map.groupBy(owner.keys(), (partition) => owner.get(partition)?.memberId ?? "");

  // Who holds most keeps one more where the partitions do not divide evenly.
  const members = claims
    .map(({ memberId }) => ({ memberId, holds: (held.get(memberId) ?? []).sort((one, other) => one - other) }))
    .sort((one, other) => other.holds.length - one.holds.length || compare(one.memberId, other.memberId));
  const share = Math.floor(partitions / members.length);
  const larger = partitions % members.length;
  members.forEach(({ memberId, holds }, rank) =>
    assigned.set(memberId, holds.slice(0, share + (rank < larger ? 1 : 0))),
  );

  const kept = new Set([...assigned.values()].flat());
  const free = Array.from({ length: partitions }, (_, partition) => partition).filter((one) => !kept.has(one));
  members.forEach(({ memberId }, rank) => {
    const mine = assigned.get(memberId) ?? [];
    mine.push(...free.splice(0, share + (rank < larger ? 1 : 0) - mine.length));
    mine.sort((one, other) => one - other);
  });
  return assigned;
}

function byGenerationThenId(one: Claim, other: Claim): number {
  return one.generation - other.generation || compare(one.memberId, other.memberId);
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
