import { expect, it } from "vitest";
import { windowStarts } from "./binary-array.ts";

it.each([
  "0001-01-01T00:00:00.001Z",
  "1969-12-31T23:59:59.999Z",
  "2026-01-01T00:00:00.123Z",
  "9999-12-31T23:59:59.999Z",
])("the start of a window at %s is exact", (time) => {
  const ms = Date.parse(time);
  const micros = windowStarts(Float64Array.of(ms)).readBigInt64BE(24);
  expect(micros).toBe(BigInt(ms - Date.UTC(2000, 0, 1)) * 1000n);
});
