import { describe, expect, it } from "vitest";
import { readFieldPlace } from "./field-place.ts";

const read = (from?: string) => readFieldPlace({ name: "a.b", ...(from === undefined ? {} : { from }) });

it("a field without from is the member of its name, whatever that is", () => {
  expect(read()).toEqual({ kind: "value", path: ["a.b"] });
});

describe("a path", () => {
  it.each<[from: string, ...path: (string | number)[]]>([
    ["$.user", "user"],
    ["$.kubernetes.pod_name", "kubernetes", "pod_name"],
    ['$."kubernetes.pod_name"', "kubernetes.pod_name"],
    ['$."@timestamp"', "@timestamp"],
    ['$."user-id"', "user-id"],
    ["$.preço", "preço"],
    ['$."Order Date"', "Order Date"],
    ["$.type", "type"],
    ['$."a\\"b"', 'a"b'],
    ['$."\\u00e9\\\\"', "é\\"],
    ['$.""', ""],
    ["$.items[0].sku", "items", 0, "sku"],
    ['$.a[10][2]."b c"', "a", 10, 2, "b c"],
    ['$."#row"', "#row"],
    ["$.$x", "$x"],
  ])("%s", (from, ...path) => {
    expect(read(from)).toEqual({ kind: "value", path });
  });

  it.each([
    ["$", /the whole value: name a member/],
    ["user", /no place in a record: write a path such as/],
    ["$user", /no path at "user"/],
    ["$.user-id", /no path at "-id"/],
    ["$.@timestamp", /write \."@timestamp"/],
    ["$.Order Date", /no path at " Date"/],
    ["$.1st", /write \."1st"/],
    ["$.", /no path at "\."/],
    ['$."open', /no path/],
    ["$[0]", /an event is an object, no list/],
    ["$['user']", /write \."name"/],
    ["$.items[*]", /one value.*json/],
    ["$.*", /one value/],
    ["$..x", /one value/],
    ["$.items[-1]", /one value/],
    ["$.items[1000]", /0 to 999/],
    ["$.items[last]", /write a path such as/],
    ["$.a ? (@ > 1)", /no path at/],
    ["header:", /write header:trace-id/],
    ["Key", /no place/],
  ])("%s is none", (from, words) => {
    expect(read(from)).toMatch(words);
  });
});

it("what lies beside the value has words", () => {
  expect(["key", "partition", "offset", "timestamp", "header:trace-id", "header: a:b"].map(read)).toEqual([
    ...[{ kind: "key" }, { kind: "partition" }, { kind: "offset" }, { kind: "timestamp" }],
    ...[
      { kind: "header", name: "trace-id" },
      { kind: "header", name: " a:b" },
    ],
  ]);
});
