/** `caudal sql`: the prompt, and scripts. */
import { type Call, type Command, textOption, textOptions } from "../command.ts";
import { UsageError } from "../errors.ts";
import { KUBE_HELP, KUBE_OPTIONS } from "../kube/options.ts";
import { chooseFormat } from "../output/choose.ts";
import { openTerminal } from "../output/pager.ts";
import { Printer } from "../output/printer.ts";
import { readText } from "../pipeline/read-text.ts";
import { PROMPT_HELP } from "./help.ts";
import { splitScript } from "./script.ts";
import type { Session } from "./session.ts";

export const sqlCommand: Command = {
  name: "sql",
  summary: "ask a running pipeline's topics and tables",
  help: `caudal sql [PIPELINE]

A prompt for the topics and tables of a pipeline; without a name, of the only one in the namespace. It reaches Kafka and
PostgreSQL through the API server, as kubectl port-forward does.

  -e, --execute SQL         statements instead of a prompt; may be repeated
  -f, --file FILE           statements from a file; - is standard input
  -o, --output FORMAT       table, json or csv
      --write               tables may be written too
${KUBE_HELP}
${PROMPT_HELP}`,
  options: {
    ...KUBE_OPTIONS,
    execute: { type: "string", short: "e", multiple: true },
    file: { type: "string", short: "f" },
    output: { type: "string", short: "o" },
    write: { type: "boolean" },
  },
  async run(call) {
    const [name, ...more] = call.positionals;
    if (more.length > 0) throw new UsageError("name one pipeline: caudal sql PIPELINE");
    const format = chooseFormat(call);
    const scripts = await readScripts(call);
    const printer = new Printer(
      format,
      (text) => void process.stdout.write(text),
      (text) => void process.stderr.write(text),
      openTerminal(process.stdin, process.stdout, process.env),
    );
    const session = await openSession(call, name, printer);
    try {
      if (scripts === undefined) await (await (await import("./prompt.ts")).Prompt.open(session, printer)).run();
      else await runScripts(session, scripts);
    } finally {
      await session.close();
    }
  },
};

async function openSession(call: Call, name: string | undefined, printer: Printer): Promise<Session> {
  const [{ connectKube }, { choosePipeline, LiveInCluster }, { Session }] = await Promise.all([
    import("../kube/connect.ts"),
    import("../kube/live-in-cluster.ts"),
    import("./session.ts"),
  ]);
  const kube = connectKube(call);
  const live = new LiveInCluster(kube, await choosePipeline(kube, name));
  return new Session({ live, printer, write: call.values["write"] === true });
}

/** Those of -e and -f, or of a standard input that is no terminal; undefined for a prompt. */
async function readScripts(call: Call): Promise<readonly string[] | undefined> {
  const given = textOptions(call, "execute");
  const file = textOption(call, "file");
  if (given.length > 0 && file !== undefined) throw new UsageError("write --execute or --file, not both");
  if (given.length > 0) return given;
  if (file !== undefined) return [await readText(file)];
  return process.stdin.isTTY ? undefined : [await readText("-")];
}

/**
 * Piece by piece, each script by itself: its end ends a statement too. The first that fails ends it all. Ctrl-C ends the
 * one that runs, and with it the rest.
 */
export async function runScripts(session: Pick<Session, "execute">, scripts: readonly string[]): Promise<void> {
  const ended = new AbortController();
  const interrupt = (): void => ended.abort();
  process.once("SIGINT", interrupt);
  try {
    for (const script of scripts) {
      const { pieces, rest } = splitScript(script);
      for (const piece of rest.text === "" ? pieces : [...pieces, rest]) {
        if (ended.signal.aborted || !(await session.execute(piece, ended.signal))) return;
      }
    }
  } finally {
    process.off("SIGINT", interrupt);
  }
}
