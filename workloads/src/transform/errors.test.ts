import { expect, it } from "vitest";
import { WorkloadError } from "../runtime/errors.ts";
import { madeOf, OutputRefused } from "./errors.ts";
import type { Rows } from "./output.ts";

const numbers = (values: readonly number[]) => ({
  bytes: Buffer.alloc(0),
  starts: Int32Array.from(values),
  ends: Int32Array.from(values),
});

const batch = (values: readonly number[]): Rows => ({
  count: values.length,
  partitions: new Int32Array(values.length),
  offsets: Float64Array.from(values),
  times: Float64Array.from(values),
  columns: [
    { kind: "number", values: Float64Array.from(values), bigs: new Map() },
    { kind: "text", bytes: Buffer.from("x".repeat(values.length)), lengths: new Int32Array(values.length).fill(1) },
  ],
  json: numbers(values),
  records: undefined,
});

const encode = ({ offsets }: Rows): string => {
  if (offsets.includes(13)) throw new RangeError("13 has no text");
  return offsets.join();
};

it("is what was made", () => {
  expect(madeOf(batch([1, 2]), "a text", encode)).toBe("1,2");
});

it("is refused for what some row makes it throw, in its words", () => {
  const make = () => madeOf(batch([1, 13]), "a text", encode);
  expect(make).toThrow(OutputRefused);
  expect(make).toThrow("a text cannot be made of it: 13 has no text");
});

it("is no row's fault where nothing can be made without rows either", () => {
  const broken = (): string => {
    throw new TypeError("no encoder");
  };
  expect(() => madeOf(batch([1]), "a text", broken)).toThrow(TypeError);
});

it("gives no rows of any form when it tries without", () => {
  const tried: number[] = [];
  const make = ({ count, offsets, columns, json }: Rows): void => {
    const lengths = columns.map((column) => (column.kind === "text" ? column.lengths.length : column.values.length));
    tried.push(count, offsets.length, ...lengths, json?.ends.length ?? -1);
    if (count > 0) throw new RangeError("too long");
  };
  expect(() => madeOf(batch([1, 2]), "a text", make)).toThrow(OutputRefused);
  expect(tried).toEqual([2, 2, 2, 2, 2, 0, 0, 0, 0, 0]);
});

it("leaves an error alone that says what it is about", () => {
  class Known extends WorkloadError {
    readonly code = "EKNOWN";
    readonly reason = "Known";
    readonly retryable = true;
  }
  expect(() =>
    madeOf(batch([1]), "a text", () => {
      throw new Known("away");
    }),
  ).toThrow(Known);
});
