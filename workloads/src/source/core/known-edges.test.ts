import { expect, test } from "vitest";
import { compareEdges, readEdges, writeEdges } from "./known-edges.ts";

test("edges come back as they were written, whatever their numbers", () => {
  const edges = [
    { oid: 4_294_967_295, since: 4_294_967_295 },
    { oid: 16_384, since: 0 },
    { oid: 16_385, since: 255 },
    { oid: 16_512, since: 256 },
    { oid: 16_640, since: 700 },
    { oid: 1_000_000, since: 1 },
  ];
  const known = readEdges(writeEdges(edges));
  expect([...known]).toEqual(edges.toSorted((a, b) => a.oid - b.oid).map(({ oid, since }) => [oid, since % 256]));
  expect(compareEdges(known, edges)).toEqual({ came: [], left: [] });
  expect(readEdges(writeEdges([])).size).toBe(0);
});

test("what came, what left and what left and came back is told apart from what stayed", () => {
  const known = readEdges(writeEdges([1, 2, 3].map((oid) => ({ oid, since: 9 }))));
  const now = [
    { oid: 2, since: 9 },
    { oid: 3, since: 10 },
    { oid: 4, since: 9 },
  ];
  expect(compareEdges(known, now)).toEqual({ came: [3, 4], left: [1, 3] });
});

test("a thousand partitions that were made one after the other fit in a place", () => {
  const edges = Array.from({ length: 1_000 }, (_, at) => ({ oid: 20_000 + 9 * at, since: 700 + at }));
  expect(writeEdges(edges).length).toBeLessThan(2_700);
});
