import { describe, expect, it } from "vitest";
import { nodeProcesses, type NodeProcess } from "./processes.ts";

const settings = "/repo/.cluster/node/settings.json";
const outside: NodeProcess = { pid: 10, pids: [10], commandLine: ["unshare", "--pid", "pause", settings] };
const first: NodeProcess = { pid: 11, pids: [11, 1], commandLine: ["pause", "node", "supervisor.ts", settings] };
const inside: NodeProcess = { pid: 12, pids: [12, 7], commandLine: ["node", "supervisor.ts", settings] };
const editor: NodeProcess = { pid: 13, pids: [13], commandLine: ["vi", settings, "other"] };
const other: NodeProcess = { pid: 14, pids: [14, 1], commandLine: ["pause", "/elsewhere/.cluster/node/settings.json"] };

describe("nodeProcesses", () => {
  it("are those of this checkout's node, the first of its namespace before all", () => {
    expect(nodeProcesses(settings, [outside, other, inside, editor, first])).toEqual([first, outside, inside]);
  });
});
