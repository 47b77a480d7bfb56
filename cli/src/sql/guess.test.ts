import { describe, expect, test } from "vitest";
import { didYouMean, nearest } from "./guess.ts";

const names = [
  '"app-events"',
  '"app-events-metrics-dlq"',
  "event_counts",
  "user_avg_waiting_time",
  '"Order Details"',
  "orders",
  "s.daily",
];

describe("what a name may have meant", () => {
  test.each<[name: string, first: string | undefined]>([
    ["app-event", '"app-events"'],
    ["app_events", '"app-events"'],
    ["App-Events", '"app-events"'],
    ["appevents", '"app-events"'],
    ["app-evnets", '"app-events"'],
    ["event_count", "event_counts"],
    ["EVENT_COUNTS", "event_counts"],
    ["evnt_counts", "event_counts"],
    ["eventcounts", "event_counts"],
    ["counts", "event_counts"],
    ["public.event_count", "event_counts"],
    ["order details", '"Order Details"'],
    ["order", "orders"],
    ["avg_waiting", "user_avg_waiting_time"],
    ["metrics-dlq", '"app-events-metrics-dlq"'],
    ["s.dayly", "s.daily"],
    ["daily", "s.daily"],
    ["preço", undefined],
    ["x", undefined],
    ["", undefined],
    ["customers", undefined],
  ])("%s", (name, first) => {
    expect(nearest(name, names)[0]).toBe(first);
  });

  test("three at most, the nearest first; else what there is", () => {
    expect(didYouMean("events", ["a_events", "b_events", "c_events", "d_events"])).toBe(
      "; did you mean a_events, b_events or c_events?",
    );
    expect(didYouMean("nothing", names, ": there are others")).toBe(": there are others");
  });
});
