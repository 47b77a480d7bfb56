import { describe, expect, test } from "vitest";
import { readLostTopics, topicIdText, topicIdUuid, writeLostTopics } from "./topic-id.ts";

const uuid = "f79bd8ad-0d1b-4c58-9a3e-6d3f7f2a9b10";
const text = "95vYrQ0bTFiaPm0_fyqbEA";

test.each([
  [uuid, text],
  [uuid.toUpperCase(), text],
  [text, text],
])("%s is in Kafka's own form %s", (id, expected) => {
  expect(topicIdText(id)).toBe(expected);
  expect(topicIdUuid(id)).toBe(uuid);
});

test.each(["", "x", `${text}=`, `${uuid}0`, "zzzzzzzz-0d1b-4c58-9a3e-6d3f7f2a9b10"])("%j is no id", (id) => {
  expect([topicIdText(id), topicIdUuid(id)]).toEqual([undefined, undefined]);
});

describe("what a person acknowledges", () => {
  test.each<[string | undefined, Record<string, string[]>]>([
    [undefined, {}],
    ["", {}],
    [`a=${text}`, { a: [text] }],
    [` a = ${uuid} , b.c_d-e=${text},a=${text}`, { a: [text], "b.c_d-e": [text] }],
    [`a=nonsense,=${text},b`, {}],
    [`$(rm -r x)=${text}, a;b=${text}`, {}],
  ])("%j", (written, expected) => expect(Object.fromEntries(readLostTopics(written))).toEqual(expected));

  test("is written as it is read", () => {
    const value = `a=${text},a=AAAAAAAAAAAAAAAAAAAAAA,b=${text}`;
    expect(writeLostTopics(readLostTopics(value))).toBe(value);
  });
});
