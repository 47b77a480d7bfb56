import { describe, expect, it } from "vitest";
import { keyOf, parseKeyTemplate } from "./key-template.ts";

const key = (text: string, values: readonly (string | null)[]): string | undefined => {
  const template = parseKeyTemplate(text);
  if (typeof template === "string") throw new RangeError(template);
  return keyOf(template, values);
};

describe("templates of keys", () => {
  it("put values where columns are named", () => {
    expect(key("tx:{id}", ["7"])).toBe("tx:7");
    expect(key("{a}/{b}!", ["x", "{a}"])).toBe("x/{a}!");
    expect(key("{a}{a}", ["x", "y"])).toBe("xy");
  });

  it("name columns of any name, in double quotes where it has braces or begins with a quote", () => {
    const columns = (text: string) => {
      const template = parseKeyTemplate(text);
      return typeof template === "string" ? template : template.columns;
    };
    expect(columns("o:{Order Date}:{user-id}")).toEqual(["Order Date", "user-id"]);
    expect(columns('{"a{b}"}{"say ""x"""}{a"b}{" "}')).toEqual(["a{b}", 'say "x"', 'a"b', " "]);
    expect(key('a{"}"}b{c}d', ["1", "2"])).toBe("a1b2d");
  });

  it("give no key where a value is NULL", () => {
    expect(key("{a}:{b}", ["x", null])).toBeUndefined();
    expect(key("{a}", [""])).toBe("");
  });

  it("are not those of progress", () => {
    expect(parseKeyTemplate("caudal:progress:{id}")).toMatch(/begins with caudal:progress:.*begin with something else/);
    expect(parseKeyTemplate("caudal:{id}")).toMatchObject({ columns: ["id"] });
  });

  it.each(["tx", "tx:{}", "tx:{ id }", 'tx:{""}', "tx:{id", "id}", "{{id}}"])("are not %s", (text) => {
    expect(parseKeyTemplate(text)).toMatch(/^.* (is the same key|has braces without|has a brace without)/);
  });
});
