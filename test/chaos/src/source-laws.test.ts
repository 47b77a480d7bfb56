import { describe, expect, it } from "vitest";
import { judgeChanges, judgeVersions, type Noted, type Stretch } from "./source-laws.ts";

/** `d1` is a delete; `!` marks what does not fit. */
const noted = (labels: string): Noted[] =>
  labels.split(" ").map((text, at) => ({
    label: text.replace("!", ""),
    ...{ bad: text.endsWith("!"), gone: text.startsWith("d"), xid: BigInt(10 + at) },
  }));
/** `s1` is row 1 of a snapshot; `!` marks a dead letter. */
const stretch = (labels: string, from = 0): Stretch => {
  const all = labels === "" ? [] : labels.split(" ");
  return {
    sent: all
      .filter((text) => !text.endsWith("!"))
      .map((text) => ({ label: text.replace("s", ""), snapshot: text.startsWith("s") })),
    letters: all.filter((text) => text.endsWith("!")).map((text) => text.replace("!", "")),
    from: BigInt(from),
  };
};

describe("changes of a row", () => {
  it.each([
    ["all of them", "1 2 3", [stretch("1 2 3")]],
    ["from the snapshot on", "1 2 3", [stretch("s2 3", 12)]],
    ["with those that do not fit among the letters", "1 2! 3", [stretch("1 3 2!")]],
    ["nothing of a row that was gone before the slot", "1 d2", [stretch("", 12)]],
    ["a gap where the slot was lost, and the snapshot after it", "1 2 3 4 5 6", [stretch("1 2"), stretch("s5 6", 15)]],
    ["the snapshot repeats what was sent last", "1 2", [stretch("1 2"), stretch("s2", 12)]],
  ])("are right with %s", (_, labels, stretches) => {
    expect(judgeChanges("k", noted(labels), stretches)).toEqual([]);
  });

  it.each([
    ["one missing in the middle", "1 2 3", [stretch("1 3")], "1, 3 is not the end of 1, 2, 3"],
    ["the last one missing", "1 2 3", [stretch("1 2")], "is not the end"],
    ["one twice", "1 2", [stretch("1 2 2")], "is not the end"],
    ["another order", "1 2 3", [stretch("2 1 3")], "is not the end"],
    ["the first of the slot missing", "1 2 3", [stretch("3", 11)], "2 is missing before"],
    ["nothing sent", "1 d2", [stretch("", 11)], "nothing was sent of d2"],
    ["a row that the snapshot lacks", "1 2", [stretch("", 12)], "nothing was sent of 2"],
    ["a letter that is missing", "1 2! 3", [stretch("1 3")], "is not the end of 1, bad 2, 3"],
    ["a letter twice", "1 2! 3", [stretch("1 3 2! 2!")], "is not the end"],
    ["a snapshot after a change", "1 2", [stretch("1 s2")], "came late"],
    ["a change of the slot before again", "1 2 3", [stretch("1 2"), stretch("2 3")], "is not the end"],
    ["one missing before a loss", "1 2 3 4", [stretch("1 3"), stretch("s4")], "slot 1: 1, 3 is not a run"],
  ])("are wrong with %s", (_, labels, stretches, violation) => {
    expect(judgeChanges("k", noted(labels), stretches).join()).toContain(violation);
  });
});

describe("versions of a row", () => {
  const versions = [1, 2, 3].map((change) => ({ change, bad: change === 2 }));
  const [, second, third] = versions;

  it.each([
    ["all of them", [1, 3], [2], third],
    ["some passed over", [3], [], third],
    ["a last one that does not fit", [1], [2], second],
    ["a row that is gone", [1], [], undefined],
  ])("are right with %s", (_, sent, letters, last) => {
    expect(judgeVersions("k", sent, letters, versions, last)).toEqual([]);
  });

  it.each([
    ["the last one missing", [1], [], third, "version 3, which is in the table, is not in the topic"],
    ["one twice", [1, 1, 3], [], third, "version 1 is 2 times in the topic"],
    ["another order", [3, 1], [], undefined, "version 1 came after 3"],
    ["one that was undone", [1, 3, 4], [], third, "version 4 should not be in the topic"],
    ["a letter twice", [3], [2, 2], third, "version 2 is 2 times in the dead letters"],
    ["a good one among the letters", [3], [1], third, "version 1 should not be in the dead letters"],
  ])("are wrong with %s", (_, sent, letters, last, violation) => {
    expect(judgeVersions("k", sent, letters, versions, last).join()).toContain(violation);
  });
});
