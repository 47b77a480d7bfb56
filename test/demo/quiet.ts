/**
 * `node test/demo/quiet.ts`: what operator and stages have logged since the demonstration began. A healthy start prints no
 * warning, and every line has one form.
 */
import { kubectl } from "../cluster/host/kubectl.ts";

const CALM = ["trace", "debug", "info"];
const selectors = ["caudal.dev/stage", "app.kubernetes.io/name=caudal,app.kubernetes.io/component!=test"];

/** Why a line should not be there, or undefined. */
export function complaintOf(line: string): string | undefined {
  let entry: Partial<Record<string, unknown>>;
  try {
    entry = JSON.parse(line) as Partial<Record<string, unknown>>;
  } catch {
    return "it is no JSON";
  }
  for (const name of ["level", "time", "message"])
    if (typeof entry[name] !== "string") return `it has no ${name} that is a text`;
  return CALM.includes(String(entry["level"])) ? undefined : "a healthy start does not warn";
}

async function main(): Promise<void> {
  let count = 0;
  let complaints = 0;
  for (const selector of selectors) {
    const pods = await kubectl([
      ...["get", "pods", "--all-namespaces", "-l", selector],
      ...["-o", 'jsonpath={range .items[*]}{.metadata.namespace} {.metadata.name}{"\\n"}{end}'],
    ]);
    for (const [namespace = "", name = ""] of pods
      .trim()
      .split("\n")
      .map((line) => line.split(" "))) {
      const log = await kubectl(["logs", "--namespace", namespace, name, "--tail=-1"]);
      for (const line of log.split("\n").filter((text) => text !== "")) {
        count++;
        const complaint = complaintOf(line);
        if (complaint === undefined) continue;
        complaints++;
        console.error(`${namespace}/${name}: ${complaint}: ${line}`);
      }
    }
  }
  console.log(`${count} lines of operator and stages, ${complaints} that should not be there`);
  if (count === 0 || complaints > 0) process.exitCode = 1;
}

if (import.meta.main) await main();
