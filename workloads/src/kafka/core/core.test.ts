import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assignPartitions, type Claim } from "./assignment.ts";
import { murmur2, partitionOf } from "./murmur2.ts";

describe("murmur2", () => {
  // The values that Kafka's own unit tests expect.
  it.each([
    ["21", -973932308],
    ["foobar", -790332482],
    ["a-little-bit-long-string", -985981536],
    ["a-little-bit-longer-string", -1486304829],
    ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
    ["abc", 479470107],
  ])("of %s is Kafka's", (key, hash) => {
    expect(murmur2(Buffer.from(key))).toBe(hash);
  });

  it("gives a partition for every key", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.integer({ min: 1, max: 1000 }), (key, partitions) => {
        const partition = partitionOf(key, partitions);
        expect(Number.isInteger(partition) && partition >= 0 && partition < partitions).toBe(true);
      }),
    );
  });
});

describe("an assignment", () => {
  const claims = fc
    .uniqueArray(fc.string({ minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 8 })
    .chain((ids) =>
      fc.tuple(
        ...ids.map((memberId) =>
          fc.record({
            memberId: fc.constant(memberId),
            owned: fc.uniqueArray(fc.integer({ min: 0, max: 20 })),
            generation: fc.integer({ min: -1, max: 3 }),
          }),
        ),
      ),
    );

  it("gives each partition to one member, evenly", () => {
    fc.assert(
      fc.property(claims, fc.integer({ min: 0, max: 20 }), (members: Claim[], partitions) => {
        const assigned = assignPartitions(members, partitions);
        const all = [...assigned.values()];
        expect(all.flat().sort((one, other) => one - other)).toEqual(Array.from({ length: partitions }, (_, i) => i));
        const sizes = all.map((mine) => mine.length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it("changes nothing when it is even already, and does not depend on the order of the members", () => {
    fc.assert(
      fc.property(claims, fc.integer({ min: 0, max: 20 }), (members: Claim[], partitions) => {
        const assigned = assignPartitions(members, partitions);
        const again = [...assigned].map(([memberId, owned]) => ({ memberId, owned, generation: 9 }));
        expect(assignPartitions(again.reverse(), partitions)).toEqual(assigned);
        expect(new Map([...assignPartitions([...members].reverse(), partitions)])).toEqual(assigned);
      }),
    );
  });

  it("moves to a new member only what it gets", () => {
    const before = [
      { memberId: "a", owned: [0, 1, 2], generation: 4 },
      { memberId: "b", owned: [3, 4, 5], generation: 4 },
    ];
    const after = assignPartitions([...before, { memberId: "c", owned: [], generation: -1 }], 6);
    expect(Object.fromEntries(after)).toEqual({ a: [0, 1], b: [3, 4], c: [2, 5] });
  });

  it("believes the later generation where two claim a partition", () => {
    const assigned = assignPartitions(
      [
        { memberId: "new", owned: [1], generation: 5 },
        { memberId: "zombie", owned: [0, 1], generation: 2 },
      ],
      2,
    );
    expect(Object.fromEntries(assigned)).toEqual({ zombie: [0], new: [1] });
  });
});
