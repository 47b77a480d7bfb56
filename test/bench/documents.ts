/** Writes what was measured into docs/performance.md. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { repository } from "../cluster/host/paths.ts";
import { describeHost } from "./host.ts";
import { type Section, withSection } from "./report/docs.ts";
import type { Bench } from "./running.ts";

const page = join(repository, "docs/performance.md");
const chartFile = "performance.svg";

export async function writeDocs(bench: Bench, section: Section, table: string, chart?: string): Promise<void> {
  const parts = [await describeHost(bench.servers, new Date()), table];
  if (chart !== undefined) {
    await writeFile(join(repository, "docs", chartFile), chart);
    parts.splice(1, 0, `![Bars of each engine](${chartFile})`);
  }
  await writeFile(page, withSection(await readFile(page, "utf8"), section, parts.join("\n\n")));
}
