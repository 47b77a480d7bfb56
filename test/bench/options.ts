/** The command line of `npm run bench`. Pure: arguments in, options or an error out. */
import { parseArgs } from "node:util";
import { UsageError } from "../cluster/host/errors.ts";
import { scenarioNames } from "./scenarios.ts";
import { smallStageNames } from "./small-stages.ts";
import { transformKindNames } from "./transform-kinds.ts";

export const engineNames = ["caudal", "flink", "flink-rocksdb", "kafka-streams", "kafka-streams-eos", "spark"] as const;
export type EngineName = (typeof engineNames)[number];

/** Those that also go from topic to topic. */
const TRANSFORMING: readonly EngineName[] = ["caudal", "flink"];

export interface Options {
  readonly help: boolean;
  readonly measure: "throughput" | "latency" | "generator" | "growth" | "transform" | "small";
  readonly engines: readonly EngineName[];
  /** Names of what is to grow, or of transforms; none: all. */
  readonly scenarios: readonly string[];
  readonly events: number;
  readonly runs: number;
  /** Events per second of what is measured at a steady rate. */
  readonly rate: number;
  /** How long a steady rate is held. */
  readonly seconds: number;
  /** File for the results. */
  readonly json?: string;
  /** Folder for Caudal's CPU profiles. */
  readonly profile?: string;
  readonly keep: boolean;
  readonly docs: boolean;
}

export const help = `Caudal's aggregator beside Flink SQL, Kafka Streams and Spark Structured Streaming: one topic, three windowed tables
in PostgreSQL, every row checked. Broker, PostgreSQL and engine share this machine; the engines run one at a time.

  npm run bench                        every engine, 10,000,000 events, 3 runs each, in turn
  npm run bench -- --latency           event → visible row at a steady rate, and what that costs
  npm run bench -- --generator         Caudal's generator: its most per CPU-second, and how well it holds a rate
  npm run bench -- --transform [NAME …]  from topic to topic, beside Flink SQL:
                                       ${transformKindNames.join(", ")}
  npm run bench -- --growth [NAME …]   Caudal where one thing is much larger than usual:
                                       ${scenarioNames.join(", ")}
                                       (the last one takes 20 GB of disk, and is left out unless it is named)
  npm run bench -- --small [NAME …]    what a stage of each kind costs at rest and at 50 events/s, beside a Kafka Streams
                                       program; by names some stages alone: ${smallStageNames.join(", ")}

  --only A,B       these engines alone: ${engineNames.join(", ")}
  --events N       events in the topic (10000000), or to generate, for --growth and for --transform (3000000)
  --runs N         runs of each engine (3)
  --rate N         events per second at a steady rate (20000; 50 with --small)
  --seconds N      how long the steady rate is held (60)
  --json FILE      writes the results there, of throughput after every run
  --docs           writes the table into docs/performance.md, and the chart beside it
  --profile FOLDER writes a CPU profile of Caudal for each run (it costs speed)
  --keep           leaves broker, PostgreSQL, tables and logs until Ctrl-C
  --help           this text

Needs Java 17 or newer and PostgreSQL 15 or newer; for the other engines a JDK and Maven. What is built is kept in
$CAUDAL_CACHE (~/.cache/caudal if that is not set).`;

/** What is measured without --events; the generator and what grows show as much with less. */
const EVENTS: Readonly<Record<Options["measure"], number>> = {
  throughput: 10_000_000,
  latency: 10_000_000,
  generator: 3_000_000,
  growth: 3_000_000,
  transform: 3_000_000,
  small: 3_000_000,
};
/** Events per second without --rate. */
const RATE = 20_000;
const SMALL_RATE = 50;

/** @throws UsageError that says what to write instead */
export function parseOptions(args: readonly string[]): Options {
  const { values, positionals } = parse(args);
  const measures = (["latency", "generator", "growth", "transform", "small"] as const).filter(
    (name) => values[name] === true,
  );
  if (measures.length > 1) throw new UsageError(`--${measures.join(" and --")} are measured one at a time.`);
  const measure = measures[0] ?? "throughput";
  if (values.docs === true && values.profile !== undefined)
    throw new UsageError("--profile costs speed: leave it out where results go into the docs.");
  return {
    help: values.help === true,
    measure,
    engines: enginesOf(values.only, measure),
    scenarios: scenariosOf(positionals, measure),
    events: whole("events", values.events, EVENTS[measure], 10_000),
    runs: whole("runs", values.runs, 3),
    rate: whole("rate", values.rate, measure === "small" ? SMALL_RATE : RATE),
    seconds: whole("seconds", values.seconds, 60),
    ...(values.json === undefined ? {} : { json: values.json }),
    ...(values.profile === undefined ? {} : { profile: values.profile }),
    keep: values.keep === true,
    docs: values.docs === true,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        only: { type: "string" },
        events: { type: "string" },
        runs: { type: "string" },
        rate: { type: "string" },
        seconds: { type: "string" },
        json: { type: "string" },
        profile: { type: "string" },
        latency: { type: "boolean" },
        generator: { type: "boolean" },
        growth: { type: "boolean" },
        transform: { type: "boolean" },
        small: { type: "boolean" },
        keep: { type: "boolean" },
        docs: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(`${error.message}\n\n${help}`, { cause: error });
    throw error;
  }
}

/** Without --only: all engines, or, where rows are to be seen at once, Caudal. */
function enginesOf(only: string | undefined, measure: Options["measure"]): readonly EngineName[] {
  if (only === undefined)
    return measure === "throughput" ? engineNames : measure === "transform" ? TRANSFORMING : ["caudal"];
  const names = only.split(",").map((name) => name.trim());
  const known = engineNames.filter((name) => names.includes(name));
  const unknown = names.filter((name) => !(engineNames as readonly string[]).includes(name));
  if (unknown.length > 0)
    throw new UsageError(`--only: there is no engine "${unknown.join('", "')}"; there are ${engineNames.join(", ")}.`);
  const unable = known.filter((name) => !TRANSFORMING.includes(name));
  if (measure === "transform" && unable.length > 0)
    throw new UsageError(`--transform: ${unable.join(", ")} is not measured so; there are ${TRANSFORMING.join(", ")}.`);
  const closed = known.filter((name) => name.startsWith("flink"));
  if (measure === "latency" && closed.length > 0)
    throw new UsageError(`--latency: ${closed.join(", ")} writes a window only when it closes; leave it out.`);
  return known;
}

/** What may be named. */
const namesOf: Readonly<Partial<Record<Options["measure"], readonly string[]>>> = {
  growth: scenarioNames,
  transform: transformKindNames,
  small: smallStageNames,
};

function scenariosOf(names: readonly string[], measure: Options["measure"]): readonly string[] {
  const known = namesOf[measure];
  if (names.length > 0 && known === undefined)
    throw new UsageError(
      `I do not know what to do with "${names.join(" ")}": names are for --growth, --transform, --small and --only.`,
    );
  const unknown = names.filter((name) => known?.includes(name) === false);
  if (unknown.length > 0)
    throw new UsageError(`--${measure}: there is no "${unknown.join('", "')}"; there are ${(known ?? []).join(", ")}.`);
  return names;
}

function whole(name: string, text: string | undefined, otherwise: number, least = 1): number {
  if (text === undefined) return otherwise;
  const value = /^[0-9_]{1,15}$/.test(text) ? Number(text.replaceAll("_", "")) : Number.NaN;
  if (!(value >= least)) throw new UsageError(`--${name} is "${text}": write a whole number of at least ${least}.`);
  return value;
}
