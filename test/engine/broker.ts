/** A real Kafka broker (KRaft, one node) on loopback, for tests and the benchmark; its data goes with it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cached, contentKey } from "../cluster/host/cache.ts";
import { CommandFailed, NotReadyInTime } from "../cluster/host/errors.ts";
import { run } from "../cluster/host/run.ts";
import { freePorts } from "./free-ports.ts";
import { kafkaJars } from "./kafka-jars.ts";

export interface Broker {
  /** host:port */
  readonly bootstrap: string;
  /** Of the process that runs now; undefined when none does. */
  readonly pid: number | undefined;
  /** Where it keeps its topics: a folder `<topic>-<partition>` each. */
  readonly data: string;
  /** Ends the broker and removes its data. */
  stop(): Promise<void>;
  /** Stops in order, unless it was killed, and starts on the same port with the same data. */
  restart(): Promise<void>;
  /** SIGKILL; {@link restart} brings it back. */
  kill(): Promise<void>;
  /** SIGSTOP and SIGCONT: the broker holds its connections open and answers nothing. */
  freeze(): void;
  thaw(): void;
  /** Runs one of Kafka's own Java programs, such as org.apache.kafka.tools.ConsoleProducer. */
  tool(mainClass: string, args: readonly string[], input?: string): Promise<string>;
}

/** Tells the processes in which tests run of the broker that files share. */
export const SHARED_VARIABLE = "CAUDAL_TEST_BROKER";
const startSeconds = 180;
/** Where, in a broker's folder, it keeps its topics. */
const DATA = "data";
const clusterId = "Y2F1ZGFsLXRlc3RzLS0tLQ";

/** Starts soon and takes little: a test's broker lives for seconds. */
const shortLived = ["-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"];

export interface BrokerOptions {
  /** Added to the broker's own, such as `{"message.max.bytes": "4000000"}`. */
  readonly properties?: Readonly<Record<string, string>>;
  /** Options of the broker's Java; without them it starts soon and takes little. */
  readonly jvm?: readonly string[];
  /** Puts something before a second listener: it is given that one's port, and gives the one that clients are told. */
  readonly behind?: (port: number) => Promise<number>;
}

/**
 * An archive of the classes that a broker loads, read and checked: with it a broker starts with half of the CPU time.
 * @see https://docs.oracle.com/en/java/javase/17/vm/class-data-sharing.html
 */
async function classArchive(jars: string): Promise<string> {
  const archive = "kafka.jsa";
  const key = contentKey([jars, await run("java", ["--version"])]);
  const folder = await cached("kafka-classes", key, async (unfinished) => {
    const broker = await startBroker({ jvm: [...shortLived, `-XX:ArchiveClassesAtExit=${join(unfinished, archive)}`] });
    await broker.restart(); // The archive is written by a broker that ends in order.
    await broker.stop();
  });
  return join(folder, archive);
}

async function quickStart(jars: string): Promise<string[]> {
  return [...shortLived, `-XX:SharedArchiveFile=${await classArchive(jars)}`];
}

/** A folder as Kafka formats it before a broker's first start, which takes a Java of its own: made once and copied. */
async function formattedStorage(jars: string): Promise<string> {
  const folder = await cached("kafka-storage", contentKey([jars, clusterId]), async (unfinished) => {
    const file = join(unfinished, "server.properties");
    const listeners = ["PLAINTEXT", "CONTROLLER"].map((name, index) => ({ name, port: index + 1, told: index + 1 }));
    await writeFile(file, serverProperties(unfinished, listeners, {}));
    await run("java", java(jars, "kafka.tools.StorageTool", ["format", "-t", clusterId, "-c", file], shortLived));
  });
  return join(folder, DATA);
}

/** The command line, after `java`, of one of Kafka's programs. */
function java(jars: string, mainClass: string, args: readonly string[], options: readonly string[]): string[] {
  const log = `-Dlog4j2.configurationFile=${join(import.meta.dirname, "log4j2.properties")}`;
  return [...options, log, "-cp", join(jars, "*"), mainClass, ...args];
}

export async function startBroker({ properties = {}, jvm, behind }: BrokerOptions = {}): Promise<Broker> {
  const jars = await kafkaJars();
  const quickly = jvm === undefined ? await quickStart(jars) : shortLived;
  const folder = await mkdtemp(join(tmpdir(), "caudal-broker-"));
  const [port = 0, controllerPort = 0, hiddenPort = 0] = await freePorts(3);
  const told = await behind?.(hiddenPort);
  const hidden = told === undefined ? [] : [{ name: "BEHIND", port: hiddenPort, told }];
  const listeners: Listener[] = [
    { name: "PLAINTEXT", port, told: port },
    ...hidden,
    { name: "CONTROLLER", port: controllerPort, told: controllerPort },
  ];
  const file = join(folder, "server.properties");
  await writeFile(file, serverProperties(folder, listeners, properties));
  await cp(await formattedStorage(jars), join(folder, DATA), { recursive: true });

  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    child = await started(java(jars, "kafka.Kafka", [file], jvm ?? quickly));
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ending = child;
    child = undefined;
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
    const ended = once(ending, "exit");
    ending.kill(signal);
    await ended;
  };
  try {
    await start();
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  return {
    bootstrap: `127.0.0.1:${port}`,
    get pid() {
      return child?.pid;
    },
    data: join(folder, DATA),
    stop: async () => {
      await end("SIGKILL");
      await rm(folder, { recursive: true, force: true });
    },
    restart: async () => {
      await end("SIGTERM");
      await start();
    },
    kill: async () => await end("SIGKILL"),
    freeze: () => void child?.kill("SIGSTOP"),
    thaw: () => void child?.kill("SIGCONT"),
    tool: toolOf(jars, quickly),
  };
}

/**
 * The broker that files share, which runs on when a file is done with it. Where there is none, one of its own.
 *
 * @throws TypeError when it is killed, frozen or started again: such a file starts its own
 */
export async function sharedBroker(): Promise<Broker> {
  const shared = process.env[SHARED_VARIABLE];
  if (shared === undefined) return await startBroker();
  const { bootstrap, data } = JSON.parse(shared) as Pick<Broker, "bootstrap" | "data">;
  const jars = await kafkaJars();
  const refuse = (): never => {
    throw new TypeError("other files use this broker too: start one of your own with startBroker()");
  };
  return {
    bootstrap,
    data,
    pid: undefined,
    stop: async () => await Promise.resolve(),
    ...{ restart: refuse, kill: refuse, freeze: refuse, thaw: refuse },
    tool: toolOf(jars, await quickStart(jars)),
  };
}

/** @param options of the tool's Java */
function toolOf(jars: string, options: readonly string[]): Broker["tool"] {
  return async (mainClass, args, input) =>
    await run("java", java(jars, mainClass, args, options), input === undefined ? {} : { input });
}

interface Listener {
  readonly name: string;
  readonly port: number;
  /** The port that clients of this listener are told to connect to. */
  readonly told: number;
}

function serverProperties(
  folder: string,
  listeners: readonly Listener[],
  properties: Readonly<Record<string, string>>,
): string {
  const on = (port: (listener: Listener) => number): string =>
    listeners.map((listener) => `${listener.name}://127.0.0.1:${port(listener)}`).join(",");
  const all: Record<string, string> = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.voters": `1@127.0.0.1:${listeners.at(-1)?.port}`,
    "controller.listener.names": "CONTROLLER",
    listeners: on(({ port }) => port),
    "advertised.listeners": on(({ told }) => told),
    "listener.security.protocol.map": listeners.map(({ name }) => `${name}:PLAINTEXT`).join(","),
    "log.dirs": join(folder, DATA),
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "3",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "3",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    // A broker that was killed is let in again when the session of its earlier life is over.
    "broker.session.timeout.ms": "4000",
    "broker.heartbeat.interval.ms": "500",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "auto.create.topics.enable": "false",
    // Made-up records are of any year: only a topic that says so loses what is old.
    "log.retention.ms": "-1",
    "log.retention.check.interval.ms": "500",
    "log.cleaner.backoff.ms": "200",
    "num.network.threads": "2",
    "num.io.threads": "4",
    ...properties,
  };
  return Object.entries(all)
    .map(([key, value]) => `${key}=${value}\n`)
    .join("");
}

/** Starts the broker and waits until it says that it serves. */
async function started(args: readonly string[]): Promise<ChildProcess> {
  const child = spawn("java", args, { stdio: ["ignore", "pipe", "pipe"] });
  const withUs = (): void => void child.kill("SIGKILL");
  process.once("exit", withUs);
  child.once("exit", () => process.off("exit", withUs));
  let said = "";
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new NotReadyInTime(`the broker did not start in ${startSeconds} s:\n${said.slice(-2000)}`));
    }, startSeconds * 1000);
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      act();
    };
    const take = (chunk: string): void => {
      said = (said + chunk).slice(-20_000);
      if (said.includes("Kafka Server started")) settle(resolve);
    };
    child.stdout.setEncoding("utf8").on("data", take);
    child.stderr.setEncoding("utf8").on("data", take);
    child.once("error", (error) => settle(() => reject(error)));
    child.once("exit", (code) => settle(() => reject(new CommandFailed("java kafka.Kafka", code, said))));
  });
  return child;
}
