import { describe, expect, it } from "vitest";
import { EPOCH_MS, appEvents, eventMaker } from "./events.ts";
import { scenarioNames, scenarios, scenariosOf } from "./scenarios.ts";

describe("scenariosOf", () => {
  it("leaves out what has to be asked for, unless it is", () => {
    expect(scenariosOf([]).map(({ name }) => name)).toEqual(scenarioNames.filter((name) => !name.includes("million")));
    expect(scenariosOf(["hundred-million-rows", "keys"]).map(({ name }) => name)).toEqual([
      "keys",
      "hundred-million-rows",
    ]);
  });
});

describe("scenarios", () => {
  it.each([
    ["bytes-100", 91],
    ["bytes-1k", 1_000],
    ["bytes-10k", 10_000],
  ])("%s has events of about %d bytes", (name, bytes) => {
    const { shape = {} } = scenarios.find((scenario) => scenario.name === name) ?? {};
    const make = eventMaker({ ...appEvents, ...shape });
    const values = Array.from({ length: 2_000 }, (_, i) => make(EPOCH_MS + i, EPOCH_MS).value.length);
    const mean = values.reduce((sum, length) => sum + length) / values.length;
    expect(Math.abs(mean - bytes)).toBeLessThan(4);
  });
});
