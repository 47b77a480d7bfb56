/** What to know when the demonstration failed: gathered, so that nobody has to go and look. */
import { kubectl } from "../cluster/host/kubectl.ts";
import { type Example } from "./example.ts";
import { namespace, systemNamespace } from "./install.ts";

/** Lines of `kubectl get pods -A` that are neither ready nor done, with the header. */
export function podsNotReady(listing: string): readonly string[] {
  const [header = "", ...lines] = listing.trim().split("\n");
  const unready = lines.filter((line) => {
    const [, , ready = "", status = ""] = line.split(/\s+/);
    const [up, all] = ready.split("/");
    return up !== all && status !== "Completed";
  });
  return unready.length === 0 ? [] : [header, ...unready];
}

async function ask(title: string, args: readonly string[], pick = (text: string): string => text): Promise<string> {
  try {
    const answer = pick(await kubectl(args)).trim();
    return `— ${title}\n${answer === "" ? "(nothing)" : answer}`;
  } catch (error) {
    return `— ${title}\n(could not be asked: ${error instanceof Error ? error.message : String(error)})`;
  }
}

const last = (lines: number) => (text: string) => text.trimEnd().split("\n").slice(-lines).join("\n");

/** The last words of the example's pods that are not ready, and of what ran in them before. */
async function logsOfUnready(): Promise<readonly string[]> {
  let listing = "";
  await ask("", ["get", "pods", "-A"], (text) => (listing = text));
  const pods = podsNotReady(listing)
    .slice(1)
    .map((line) => line.split(/\s+/));
  return await Promise.all(
    pods.slice(0, 4).map(async ([where = "", pod = "", , status = ""]) => {
      const previous = status === "CrashLoopBackOff" ? ["--previous"] : [];
      return await ask(`log of ${where}/${pod}`, ["-n", where, "logs", pod, "--tail=8", ...previous]);
    }),
  );
}

export async function diagnose(example: Example): Promise<string> {
  const conditions = `jsonpath={range .status.conditions[*]}{.type}={.status} {.reason}: {.message}{"\\n"}{end}`;
  const answers = await Promise.all([
    ask("conditions of the pipeline", ["-n", namespace, "get", "streampipeline", example.pipeline, "-o", conditions]),
    ask("pods that are not ready", ["get", "pods", "-A"], (text) => podsNotReady(text).join("\n")),
    ask("Kafka, topics and database", [
      ...["-n", namespace, "get", "kafkas.kafka.strimzi.io,kafkatopics.kafka.strimzi.io,clusters.postgresql.cnpg.io"],
      "--ignore-not-found",
    ]),
    ask(
      "last warnings",
      ["get", "events", "-A", "--field-selector=type=Warning", "--sort-by=.lastTimestamp"],
      last(10),
    ),
    ask("last words of the operator", ["-n", systemNamespace, "logs", "deployment/caudal", "--tail=10"]),
  ]);
  return [...answers, ...(await logsOfUnready())].join("\n\n");
}
