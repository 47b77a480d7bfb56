import { expect, test } from "vitest";
import { complaintOf } from "./quiet.ts";

const line = (more: object) =>
  JSON.stringify({ level: "info", time: "2026-01-01T00:00:00.000Z", message: "hello", ...more });

test.each([
  [line({}), undefined],
  [line({ level: "debug", pipeline: "p" }), undefined],
  [line({ level: "warn" }), "a healthy start does not warn"],
  [line({ level: "error" }), "a healthy start does not warn"],
  [line({ level: 30 }), "it has no level that is a text"],
  [line({ message: undefined, msg: "hello" }), "it has no message that is a text"],
  ["(node:7) Warning: something", "it is no JSON"],
])("%s: %s", (text, complaint) => expect(complaintOf(text)).toBe(complaint));
