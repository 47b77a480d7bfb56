/** Every command of the README's "Look around" works as it is printed there. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { commandsIn, runPrinted } from "./support/printed.ts";

const root = join(import.meta.dirname, "..", "..");
const section =
  readFileSync(join(root, "README.md"), "utf8")
    .split(/^## /m)
    .find((part) => part.startsWith("Look around")) ?? "";
const lines = commandsIn(section);
const set = lines.filter((line) => line.startsWith("export "));
const commands = lines.filter((line) => !line.startsWith("export "));

/** What each command must show, by a part of it that names it. */
const shows: [part: string, pattern: RegExp][] = [
  ["get streampipelines", /app-events\s+True/],
  ["describe streampipeline", /Type:\s+Ready/],
  ["get kafkatopics", /kafkatopic\S*\/app-events/],
  ["--list", /^app-events$/m],
  ["--describe", /PartitionCount:\s*6/],
  ["--from-beginning", /"event_type":/],
  ["show topics; show tables", /app-events\s+6\s+\d+[\s\S]*event_counts\s+metrics/],
  ["group by all", /purchase\s+\d+/],
  ["from event_counts", /purchase|view|click|search/],
  ["from user_avg_waiting_time", /u[0-9]+/],
  ["logs", /"level":/],
  ["/metrics", /^caudal_events_total/m],
  ["/status", /"state":\s*"Running"/],
];

describe("the README", () => {
  it("has a command for each thing to look at", () => {
    for (const [part] of shows)
      expect(
        commands.filter((command) => command.includes(part)),
        part,
      ).not.toEqual([]);
  });

  it.each(commands)("%s", async (command) => {
    const stdout = await runPrinted([...set, command].join("\n"));
    const wanted = shows.find(([part]) => command.includes(part));
    if (wanted === undefined) expect(stdout.trim()).not.toBe("");
    else expect(stdout).toMatch(wanted[1]);
  });
});
