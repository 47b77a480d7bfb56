import { describe, expect, test } from "vitest";
import type { Catalog } from "./catalog.ts";
import { complete, STARTS } from "./completion.ts";

const catalog: Catalog = {
  topics: [
    {
      config: {
        name: "psg-customers",
        fields: [
          { name: "nascimento", type: "date", nullable: false },
          { name: "user-id", type: "string", nullable: false },
        ],
      },
      deadLettersOf: [],
    },
  ],
  tables: [
    { name: "counts", stage: "s", topic: "psg-customers", window: null, key: ["user"] },
    { name: '"Order Details"', stage: "s", topic: "psg-customers", window: null, key: [] },
  ],
  streams: [],
  connectors: [{ name: "customers", type: "postgres cdc", topic: "psg-customers", table: "t", status: "RUNNING" }],
};

describe("completion", () => {
  test.each<[line: string, candidates: string[]]>([
    ["SHO", ["SHOW TOPICS;", "SHOW TABLES;", "SHOW STREAMS;", "SHOW CONNECTORS;", "SHOW PIPELINES;"]],
    ["show p", ["show pipelines;"]],
    ["show c", ["show connectors;"]],
    ["", STARTS],
    ["show topics; des", ["describe "]],
    ["print psg", ["psg-customers"]],
    ["print 'p", ["'psg-customers"]],
    ["select * from ", ["psg-customers", "counts", '"Order Details"']],
    ["select * from ord", ['"Order Details"']],
    ["select user-", ['"user-id"']],
    ['select "use', ['"user-id"', '"user']],
    ["select nas", ["nascimento"]],
    ["select nascimento from psg-customers em", ["emit changes"]],
    ["describe cu", ["customers"]],
    ["\\o j", ["json"]],
    ["\\d cou", ["counts"]],
    ["\\x a", ["auto"]],
    ["\\pset pager al", ["always"]],
    ["\\ps", ["\\pset "]],
    ["select xyz", []],
  ])("%s", (line, candidates) => {
    expect(complete(line, catalog)[0]).toEqual(candidates);
  });

  test("without a pipeline there are the words of SQL", () => {
    expect(complete("select 1 fro", undefined)[0]).toEqual(["from", "from beginning"]);
  });
});
