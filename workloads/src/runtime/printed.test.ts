import { once } from "node:events";
import { expect, test } from "vitest";
import { createLog } from "./log.ts";
import { logWhatIsPrinted } from "./printed.ts";

test("warnings of Node and what libraries print are lines of the log, and information", async () => {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>);
  const putBack = logWhatIsPrinted(createLog({ role: "generator" }, "info", { write }));
  try {
    const warned = once(process, "warning");
    process.emitWarning("-5 is a negative number.", "TimeoutNegativeWarning");
    await warned;
    console.warn("[a library]: %s is deprecated", "this");
  } finally {
    putBack();
  }
  expect(lines).toEqual([
    expect.objectContaining({
      level: "info",
      warning: "TimeoutNegativeWarning",
      message: "-5 is a negative number.",
      time: expect.any(String),
    }),
    expect.objectContaining({ level: "info", printed: "warn", message: "[a library]: this is deprecated" }),
  ]);
});
