/** `caudal sql`: the prompt, and scripts. */
import { type Call, type Command, textOption, textOptions } from "../command.ts";
import { UsageError } from "../errors.ts";
import { connectKube, KUBE_HELP, KUBE_OPTIONS } from "../kube/connect.ts";
import { choosePipeline, LiveInCluster } from "../kube/live-in-cluster.ts";
import { chooseFormat } from "../output/choose.ts";
import { Printer } from "../output/printer.ts";
import { readText } from "../pipeline/read.ts";
import { splitStatements } from "./lexer.ts";
import { Prompt, PROMPT_HELP } from "./prompt.ts";
import { Session } from "./session.ts";

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
    const script = await readScript(call);
    const printer = new Printer(
      format,
      (text) => void process.stdout.write(text),
      (text) => void process.stderr.write(text),
    );
    const kube = connectKube(call);
    const live = new LiveInCluster(kube, await choosePipeline(kube, name));
    const session = new Session({ live, printer, write: call.values["write"] === true });
    try {
      if (script === undefined) await (await Prompt.open(session, printer)).run();
      else await runScript(session, script);
    } finally {
      await session.close();
    }
  },
};

/** Statements of -e and -f, or of a standard input that is no terminal; undefined for a prompt. */
async function readScript(call: Call): Promise<string | undefined> {
  const given = textOptions(call, "execute");
  const file = textOption(call, "file");
  if (given.length > 0 && file !== undefined) throw new UsageError("write --execute or --file, not both");
  if (given.length > 0) return given.join(";\n");
  if (file !== undefined) return await readText(file);
  return process.stdin.isTTY ? undefined : await readText("-");
}

/** Statement by statement; the first that fails ends it. Ctrl-C ends the one that runs, and with it the script. */
export async function runScript(session: Pick<Session, "execute">, script: string): Promise<void> {
  const { statements, rest } = splitStatements(script);
  const ended = new AbortController();
  const interrupt = (): void => ended.abort();
  process.once("SIGINT", interrupt);
  try {
    for (const statement of rest === "" ? statements : [...statements, rest]) {
      if (ended.signal.aborted) break;
      await session.execute(statement, ended.signal);
    }
  } finally {
    process.off("SIGINT", interrupt);
  }
}
