import { expect, test } from "vitest";
import { snapshotText } from "./snapshot-text.ts";

test.each([
  ["2600:2598:", "2600:2600:"],
  ["1030:1030:", "1030:1030:"],
  ["998:1002:998,1000", "998:1002:998,1000"],
  ["9:10:", "9:10:"],
  ["", ""],
])("the snapshot %j is read as %j", (written, text) => {
  expect(snapshotText(written)).toBe(text);
});
