import { expect, test } from "vitest";
import { unhonoured } from "./honoured.ts";

test("a field that is not honoured is named with its path, in lists with its place", () => {
  const honoured = { kafka: { listeners: { name: true }, config: true } } as const;
  const spec = {
    kafka: { listeners: [{ name: "a" }, { name: "b", tls: true }], config: { any: { thing: 1 } }, rack: {} },
    cruiseControl: {},
  };
  expect(unhonoured(spec, honoured, "spec")).toEqual([
    "spec.cruiseControl",
    "spec.kafka.listeners[1].tls",
    "spec.kafka.rack",
  ]);
});

test("a spec of honoured fields alone passes", () => {
  expect(unhonoured({ kafka: { config: { a: 1 } } }, { kafka: { config: true } }, "spec")).toEqual([]);
});
