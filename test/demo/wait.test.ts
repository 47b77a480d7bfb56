import { describe, expect, it } from "vitest";
import { changes, isReady } from "./wait.ts";

const ready = { type: "Ready", status: "True", reason: "Running", observedGeneration: 2 };
const waiting = { type: "TopicsReady", status: "False", reason: "Waiting", message: "KafkaTopic a is not ready" };

describe("isReady", () => {
  it("is true for the generation that was asked for, not for an older one", () => {
    expect(isReady({ metadata: { generation: 2 }, status: { conditions: [ready] } })).toBe(true);
    expect(isReady({ metadata: { generation: 3 }, status: { conditions: [ready] } })).toBe(false);
  });

  it("is false before there is a status", () => {
    expect(isReady({ metadata: { generation: 1 } })).toBe(false);
  });
});

describe("changes", () => {
  it("says once what is the case, with the reason why not", () => {
    expect(changes([], [waiting])).toEqual(["  TopicsReady not yet (Waiting): KafkaTopic a is not ready"]);
    expect(changes([waiting], [waiting])).toEqual([]);
    expect(changes([], [ready])).toEqual([]);
    expect(changes([waiting], [{ ...waiting, status: "True", reason: "AllReady" }])).toEqual(["  TopicsReady"]);
  });

  it("cuts long messages", () => {
    expect(changes([], [{ ...waiting, message: "x".repeat(500) }])[0]).toMatch(/^ {2}TopicsReady not yet .{1,160} …$/);
  });
});
