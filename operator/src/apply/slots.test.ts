import { expect, test } from "vitest";
import { hostFrom } from "./slots.ts";

test.each([
  ["shop-db-rw", "shop-db-rw.ns.svc"],
  ["shop-db-rw.other", "shop-db-rw.other"],
  ["db.example.com", "db.example.com"],
  ["10.0.0.7", "10.0.0.7"],
  ["fd00::7", "fd00::7"],
  ["localhost", "localhost"],
])("the host %s of a Secret in the namespace ns is reached as %s", (host, reached) => {
  expect(hostFrom("ns", host)).toBe(reached);
});
