/** Commands of docs/cli.md that need no cluster work as they are printed there. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test, vi } from "vitest";
import { withBundle } from "../bundle.ts";
import { repository as root } from "../cluster/host/paths.ts";
import { commandsIn } from "../e2e/support/printed.ts";

vi.setConfig({ testTimeout: 120_000 });

const page = readFileSync(join(root, "docs/cli.md"), "utf8");
const commands = commandsIn(page).filter(
  (line) => line.includes("caudal -- run") || line.includes("caudal -- validate"),
);

/** What a command must show, by a part of it that names it; the first that fits counts. */
const shows: readonly (readonly [part: string, pattern: RegExp])[] = [
  ["examples/customers", /"dt_updt_conv":"2026-05-04 /],
  ["--output csv", /^window_start,window_end,event_type,count\n2026-03-01 /],
  ["--output json", /^\{"tables":\{"event_counts":\[\{/],
  ["--input", /dead letters \(3\)\n[\s\S]*MalformedJson/],
  ["validate", /the pipeline app-events is valid/],
];

test("docs/cli.md has a command for each", () => {
  for (const [part] of shows) expect(commands.join("\n")).toContain(part);
});

test("`npm run -s caudal --` is the program", () => {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: { caudal: string } };
  expect(scripts.caudal).toBe("node scripts/caudal.mjs");
});

test("what `npm run -s caudal --` starts is bundled once for each state of the sources", async () => {
  const start = async () =>
    await promisify(execFile)(process.execPath, [join(root, "scripts/caudal.mjs"), "--version"], { cwd: root });
  await start();
  expect(await start()).toEqual({ stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string, stderr: "" });
});

test.each(commands)("%s", async (printed) => {
  const { stdout } = await promisify(execFile)("bash", ["-euo", "pipefail", "-c", withBundle(printed)], {
    cwd: root,
    maxBuffer: 1 << 26,
  });
  const [, pattern] = shows.find(([part]) => printed.includes(part)) ?? [];
  expect(stdout).toMatch(pattern ?? /^$/);
});
