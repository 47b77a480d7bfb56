import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { page, pagerCommand } from "./pager.ts";

test.each<[env: Record<string, string>, command: string | undefined]>([
  [{}, "less"],
  [{ PAGER: "more -s" }, "more -s"],
  [{ PAGER: "more", PSQL_PAGER: "pspg" }, "pspg"],
  [{ PAGER: "more", PSQL_PAGER: " " }, undefined],
  [{ PAGER: "" }, undefined],
])("%j chooses %s", (env, command) => {
  expect(pagerCommand(env)).toBe(command);
});

test("the pager gets all of the text, and one that leaves early or is not there is no failure", async () => {
  const folder = await mkdtemp(join(tmpdir(), "caudal-pager-"));
  try {
    const file = join(folder, "read");
    const text = "a line\n".repeat(100_000);
    expect(await page(text, { ...process.env, PAGER: `cat > '${file}'` })).toBe(true);
    expect(await readFile(file, "utf8")).toBe(text);
    expect(await page(text, { ...process.env, PAGER: "true" })).toBe(true);
    expect(await page(text, { ...process.env, PAGER: "caudal-has-no-such-pager 2> /dev/null" })).toBe(false);
    expect(await page(text, { ...process.env, PAGER: "" })).toBe(false);
  } finally {
    await rm(folder, { recursive: true });
  }
});
