import { expect, test } from "vitest";
import { FairLine } from "./fair-line.ts";

function drain(line: FairLine<string>): string[] {
  const found: string[] = [];
  for (let item = line.take(); item !== undefined; item = line.take()) found.push(item);
  return found;
}

test("tenants take turns, each in its own order", () => {
  const line = new FairLine<string>();
  for (const item of ["a1", "a2", "a3", "b1", "c1", "b2"]) line.add(item.slice(0, 1), item);
  expect(line.size).toBe(6);
  expect(drain(line)).toEqual(["a1", "b1", "c1", "a2", "b2", "a3"]);
  expect(line.size).toBe(0);
});

test("one that comes late waits for one of each tenant, however long their lines are", () => {
  const line = new FairLine<string>();
  for (let i = 0; i < 1000; i++) line.add("a", `a${i}`);
  line.take();
  line.add("b", "b0");
  expect([line.take(), line.take()]).toEqual(["a1", "b0"]);
});

test("a tenant whose turn it is not keeps its place", () => {
  const line = new FairLine<string>();
  line.add("a", "a1");
  line.add("b", "b1");
  expect(line.take((tenant) => tenant !== "a")).toBe("b1");
  expect(line.take((tenant) => tenant !== "a")).toBeUndefined();
  expect(line.take()).toBe("a1");
});

test("an item that waits already keeps its place and is counted once", () => {
  const line = new FairLine<string>();
  line.add("a", "x");
  line.add("a", "y");
  line.add("a", "x");
  expect(line.size).toBe(2);
  expect(drain(line)).toEqual(["x", "y"]);
});
