import { describe, expect, it } from "vitest";
import { type ExpectedLetter, judgeBetween, judgeLetters, LATE, type Letter, type Row } from "./laws.ts";

const bytes = Buffer.from("{oops");
const poison: ExpectedLetter = { partition: 1, offset: 7, reason: "MalformedJson", value: bytes };
const letter = (change: Partial<Letter> = {}): Letter => ({
  ...{ topicId: "id", partition: 1, offset: 7, reason: "MalformedJson", tables: [], value: bytes },
  ...change,
});

describe("dead letters", () => {
  it("are right when every bad record is there, however often", () => {
    expect(judgeLetters([poison], [letter(), letter()])).toEqual({
      violations: [],
      repeated: 1,
      late: new Map(),
      lateEvents: 0,
    });
  });

  it.each([
    ["one that is missing", [], "dead letter 1/7: is missing, with reason MalformedJson"],
    ["another reason", [letter({ reason: "WrongType" })], "its reason is WrongType, should be MalformedJson"],
    ["other bytes", [letter({ value: null })], "its value is not the record's"],
    ["one of a good record", [letter(), letter({ offset: 8 })], "dead letter 1/8: should not be there"],
    ["two reasons", [letter(), letter({ reason: "WrongType" })], "MalformedJson of topic id, and WrongType of id"],
    ["another topic", [letter(), letter({ topicId: "other" })], "MalformedJson of other"],
  ])("are wrong with %s", (_, letters, violation) => {
    expect(judgeLetters([poison], letters).violations.join()).toContain(violation);
  });

  it("say which events were late for which table, over all repetitions", () => {
    const late = [
      letter({ offset: 1, reason: LATE, tables: ["a"] }),
      letter({ offset: 1, reason: LATE, tables: ["b"] }),
    ];
    expect(judgeLetters([], late)).toEqual({
      violations: [],
      repeated: 1,
      late: new Map([
        ["a", new Set(["1/1"])],
        ["b", new Set(["1/1"])],
      ]),
      lateEvents: 1,
    });
  });
});

describe("rows of which late events may be left out", () => {
  const judged = (actual: Row | undefined, must: Row | undefined, may: Row) => {
    const rows = (row: Row | undefined) => new Map(row === undefined ? [] : [["k", row]]);
    return judgeBetween("t", rows(actual), rows(must), rows(may), (a, b) => a === b);
  };
  const row = (count: number, least: number | null = 1, mean = 1): Row => ({ count, least, mean });

  it.each([
    ["exact where nothing may be left out", row(3), row(3), row(3)],
    ["with as many as must be", row(2), row(2), row(4)],
    ["with some that may be", row(3, 1, 9), row(2, 2), row(4)],
    ["missing when no event must be in it", undefined, undefined, row(1)],
    ["there though no event must be in it", row(1, null), undefined, row(2)],
  ])("are right %s", (_, actual, must, may) => {
    expect(judged(actual, must, may)).toEqual([]);
  });

  it.each([
    ["less than must be", row(1), row(2), row(4), "t k: count is 1, should be from 2 to 4"],
    ["more than there are", row(5), row(2), row(4), "t k: count is 5, should be from 2 to 4"],
    ["another count where nothing is open", row(2), row(3), row(3), "t k: count is 2, should be 3"],
    ["no row that must be", undefined, row(1), row(2), "t k: is missing"],
  ])("are wrong with %s", (_, actual, must, may, violation) => {
    expect(judged(actual, must, may)).toEqual([violation]);
  });

  it("are wrong with a row of no event", () => {
    const violations = judgeBetween("t", new Map([["x", row(1)]]), new Map(), new Map(), Object.is);
    expect(violations).toEqual(["t x: should not be there"]);
  });
});
