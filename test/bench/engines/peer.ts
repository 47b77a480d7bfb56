/** What the engines on the JVM have in common: built by Maven on first use, configured by the environment. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "pg";
import { cached, contentKey, filesBelow } from "../../cluster/host/cache.ts";
import { ToolMissing } from "../../cluster/host/errors.ts";
import { run, succeeds } from "../../cluster/host/run.ts";
import { credentials } from "../database.ts";
import { SENTINEL } from "../events.ts";
import type { EngineName } from "../options.ts";
import type { DoneWhen, Engine, Stage, TableName } from "./engine.ts";

export interface Peer {
  readonly name: EngineName;
  /** Folder below peers/ with its pom and sources. */
  readonly sources: string;
  readonly mainClass: string;
  /** Options of the JVM besides those that all have. */
  readonly jvm: readonly string[];
  /** BENCH_* variables of its own. */
  env(mode: Stage["mode"]): Readonly<Record<string, string>>;
  configuration(mode: Stage["mode"]): string;
}

/** Column of a table's group, and of its value. */
const columns: Readonly<Record<TableName, readonly [group: string, value: string, type: string]>> = {
  event_counts: ["event_type", "count", "bigint"],
  user_event_counts: ["user_id", "count", "bigint"],
  user_avg_waiting_time: ["user_id", "avg_waiting_time_ms", "double precision"],
};

const common = ["-Duser.timezone=UTC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"];
const SLOW_MS = 500;
/** Within which a sum of doubles is the same, in whatever order they were added. */
const TOLERANCE = 1e-9;

export function peerEngine(peer: Peer): Engine {
  let folder = "";
  return {
    name: peer.name,
    configuration: (mode) => peer.configuration(mode),
    prepare: async (progress) => {
      folder = await progress.step(`building the peer ${peer.sources}`, async () => await buildPeer(peer.sources));
    },
    setUp: async (stage, client) => {
      await createTables(client);
      const { host, port, database, user, password } = credentials(stage.database);
      const classpath = [join(folder, "build/classes"), join(folder, "lib/*")].join(":");
      return {
        cwd: stage.folder,
        program: "java",
        args: [...common, `-Djava.io.tmpdir=${stage.folder}`, ...peer.jvm, "-cp", classpath, peer.mainClass],
        env: {
          ...peer.env(stage.mode),
          TZ: "UTC",
          BENCH_ID: stage.id,
          BENCH_FOLDER: stage.folder,
          BENCH_BOOTSTRAP: stage.bootstrap,
          BENCH_TOPIC: stage.topic.topic,
          BENCH_JDBC: `jdbc:postgresql://${host}:${port}/${database}?reWriteBatchedInserts=true`,
          BENCH_DB_USER: user,
          BENCH_DB_PASSWORD: password,
        },
      };
    },
    begins: /^BEGIN$/m,
    doneWhen: () => doneWhen,
    rows: {
      event_counts: rowsOf("event_counts", SENTINEL.type),
      user_event_counts: rowsOf("user_event_counts", SENTINEL.user),
      user_avg_waiting_time: rowsOf("user_avg_waiting_time", SENTINEL.user),
    },
  };
}

/** The newest packages that a JVM of 17 or newer closes to reflection, and that these engines reach into. */
export const opens: readonly string[] = [
  ...["java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.util"],
  ...["java.util.concurrent", "java.util.concurrent.atomic", "sun.nio.ch", "sun.nio.cs", "sun.security.action"],
  ...["sun.util.calendar"],
].map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`);

/** When all events are counted in both tables, and the averages are those of the exact answer. */
const doneWhen: readonly DoneWhen[] = [
  {
    sql: `select coalesce(sum(count), 0) from event_counts where event_type <> '${SENTINEL.type}'`,
    everyMs: 100,
    done: ([events = 0], expected) => events >= expected.events,
  },
  {
    sql: `select coalesce(sum(count), 0) from user_event_counts where user_id <> '${SENTINEL.user}'`,
    everyMs: SLOW_MS,
    done: ([events = 0], expected) => events >= expected.events,
  },
  {
    sql: `select count(*), coalesce(sum(avg_waiting_time_ms), 0) from user_avg_waiting_time
      where user_id <> '${SENTINEL.user}'`,
    everyMs: SLOW_MS,
    done: ([rows = 0, sum = 0], { averages }) =>
      rows >= averages.rows && Math.abs(sum - averages.sum) <= TOLERANCE * averages.sum,
  },
];

function rowsOf(table: TableName, sentinel: string): string {
  const [group, value] = columns[table];
  return `select (extract(epoch from window_start) * 1000)::bigint, ${group}, ${value} from ${table}
    where ${group} <> '${sentinel}'`;
}

async function createTables(client: Client): Promise<void> {
  for (const [table, [group, value, type]] of Object.entries(columns))
    await client.query(`create table ${table} (window_start timestamp(3) not null, ${group} text not null,
      ${value} ${type} not null, primary key (window_start, ${group}))`);
}

/** @returns the folder with build/classes and lib */
export async function buildPeer(name: string): Promise<string> {
  const sources = join(import.meta.dirname, "../peers", name);
  return await cached(`bench-${name}`, contentKey([], sources, filesBelow(sources)), async (unfinished) => {
    if (!(await succeeds("javac", ["-version"])))
      throw new ToolMissing(
        "the other engines are compiled: install a JDK 17 or newer (Debian: default-jdk-headless), or run --only caudal",
      );
    if (!(await succeeds("mvn", ["-version"])))
      throw new ToolMissing("the other engines come by Maven: install it (Debian: maven), or run --only caudal");
    await run("mvn", ["-q", "-B", "-f", join(sources, "pom.xml"), `-Dout=${unfinished}`, "package"]);
    await rm(join(unfinished, "build/maven-status"), { recursive: true, force: true });
  });
}
