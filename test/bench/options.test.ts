import { describe, expect, it } from "vitest";
import { engineNames, parseOptions } from "./options.ts";

describe("parseOptions", () => {
  it("measures every engine three times over ten million events when nothing is said", () => {
    expect(parseOptions([])).toEqual({
      help: false,
      measure: "throughput",
      engines: engineNames,
      scenarios: [],
      events: 10_000_000,
      runs: 3,
      rate: 20_000,
      seconds: 60,
      keep: false,
      docs: false,
    });
  });

  it("takes engines in its own order, and numbers with underscores", () => {
    expect(parseOptions(["--only", "flink, caudal", "--events", "1_000_000", "--json", "x.json"])).toMatchObject({
      engines: ["caudal", "flink"],
      events: 1_000_000,
      json: "x.json",
    });
  });

  it("measures Caudal alone where no engine is named and rows are to be seen at once", () => {
    expect(parseOptions(["--latency"])).toMatchObject({ measure: "latency", engines: ["caudal"] });
  });

  it("takes names of what is to grow", () => {
    expect(parseOptions(["--growth", "keys", "partitions"])).toMatchObject({
      measure: "growth",
      scenarios: ["keys", "partitions"],
      events: 3_000_000,
    });
  });

  const refused: readonly (readonly [args: string[], says: RegExp])[] = [
    [["--only", "caudal,storm"], /no engine "storm"; there are caudal, flink,/],
    [["--runs", "0"], /--runs is "0": write a whole number of at least 1/],
    [["--events", "1e6"], /--events is "1e6": write a whole number of at least 10000/],
    [["--latency", "--generator"], /one at a time/],
    [["--latency", "--only", "flink-rocksdb"], /flink-rocksdb writes a window only when it closes/],
    [["caudal"], /names are for --growth, --transform, --small and --only/],
    [["--growth", "rows"], /--growth: there is no "rows"; there are usual, keys,/],
    [["--transform", "all"], /--transform: there is no "all"; there are filter, rare,/],
    [["--docs", "--profile", "x"], /--profile costs speed/],
    [["--evnets", "5"], /Unknown option '--evnets'[^]*--events N/],
  ];
  it.each(refused)("refuses %j", (args, says) => {
    expect(() => parseOptions(args)).toThrow(says);
  });
});
