/** `caudal run`: a pipeline on files of events, without any cluster. */
import { type Call, type Command, textOption, textOptions } from "../command.ts";
import { UsageError } from "../errors.ts";
import { chooseFormat } from "../output/choose.ts";
import { acceptedPipeline } from "../pipeline/check.ts";
import { readPipeline } from "../pipeline/read.ts";
import { readLookupFile } from "./lookups.ts";
import { report } from "./report.ts";
import { run } from "./run.ts";

const DEFAULT_EVENTS = 1000;

export const runCommand: Command = {
  name: "run",
  summary: "run a pipeline on a file of events, without a cluster",
  help: `caudal run PIPELINE.yaml --input EVENTS.jsonl

Checks the pipeline as API server and operator would, runs its stages on the events, and prints the tables as
PostgreSQL would hold them, the topics that stages write, and the dead letters with their reasons.

  -i, --input FILE          events, one JSON object a line; - is standard input
      --input TOPIC=FILE    the same for one topic; may be repeated
  -n, --events N            without --input: events that each generator makes (${DEFAULT_EVENTS})
  -o, --output FORMAT       table, json or csv
  -t, --table NAME          only this table
      --topic NAME          only this topic
      --lookup NAME=FILE    rows of a transform's lookup, one JSON object a line; may be repeated
      --time TIME           what the records' own time is, such as 2026-01-01T00:00:00Z (now)
      --pipeline NAME       where the file has several
`,
  options: {
    input: { type: "string", short: "i", multiple: true },
    events: { type: "string", short: "n" },
    output: { type: "string", short: "o" },
    table: { type: "string", short: "t" },
    topic: { type: "string" },
    lookup: { type: "string", multiple: true },
    time: { type: "string" },
    pipeline: { type: "string" },
  },
  async run(call) {
    const [file, ...more] = call.positionals;
    if (file === undefined || more.length > 0)
      throw new UsageError("name one file with a pipeline: caudal run PIPELINE.yaml --input EVENTS.jsonl");
    const output = chooseFormat(call);
    const inputs = textOptions(call, "input");
    const lookups = textOptions(call, "lookup").map(readLookupFile);
    const options = { inputs, lookups, events: eventsOf(call), time: timeOf(call) };
    if (file === "-" && inputs.some((input) => input === "-" || input.endsWith("=-")))
      throw new UsageError("standard input can be read once: name a file for the pipeline or for the events");
    const pipeline = await acceptedPipeline(await readPipeline(file, textOption(call, "pipeline")), file);
    const ran = await run(pipeline, options);
    const [table, topic] = [textOption(call, "table"), textOption(call, "topic")];
    const text = report(ran, { output, table, topic });
    process.stderr.write(ran.notes.map((note) => `${note}\n`).join(""));
    if ((table ?? topic) !== undefined && ran.letters.length > 0)
      process.stderr.write(
        `${ran.letters.length} records are dead letters: leave out --table and --topic to see them\n`,
      );
    process.stdout.write(text);
  },
};

function eventsOf(call: Call): number {
  const text = textOption(call, "events");
  if (text === undefined) return DEFAULT_EVENTS;
  const events = Number(text);
  if (!Number.isSafeInteger(events) || events < 1) throw new UsageError(`--events ${text}: write a number, 1 or more`);
  return events;
}

function timeOf(call: Call): number {
  const text = textOption(call, "time");
  if (text === undefined) return Date.now();
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw new UsageError(`--time ${text}: write a time such as 2026-01-01T00:00:00Z`);
  return time;
}
