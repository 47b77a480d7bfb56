/** A PostgreSQL of one's own on loopback, from Debian's package `postgresql`, in a folder that goes with it. */
import { type ChildProcess, spawn } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, type QueryResultRow } from "pg";
import { HostUnfit, ToolMissing } from "../cluster/host/errors.ts";
import { poll } from "../cluster/host/poll.ts";
import { run } from "../cluster/host/run.ts";
import { freePorts } from "./free-ports.ts";
import { mountSmallDisk, type SmallDisk } from "./small-disk.ts";

export interface Postgres {
  readonly port: number;
  /** Folder of its data. */
  readonly data: string;
  /** Of the postmaster that runs now; undefined when none does. */
  readonly pid: number | undefined;
  /** Folder with host, port, dbname, username and password, as a pod finds its mounted secret. */
  readonly secret: string;
  /** Makes another user, who may log in. @returns the folder of a secret for the database */
  user(database: string, name: string): Promise<string>;
  /** Makes another database on this server, unless it follows one that has it, with a secret of its own. @param options of `create database` */
  database(name: string, options?: string): Promise<Database>;
  /** Stops and starts again. @param shutdown SIGINT: fast, as an operator would; SIGQUIT: immediate, with recovery; SIGTERM: when its sessions have ended */
  restart(shutdown?: "SIGINT" | "SIGQUIT" | "SIGTERM"): Promise<void>;
  /** SIGKILL to the postmaster, as the kernel does when memory runs out. */
  kill(): Promise<void>;
  /** Starts it, unless it runs; resolves when it answers. */
  start(): Promise<void>;
  /** Stops it in order; {@link start} brings it back. */
  halt(): Promise<void>;
  /** Makes a standby that has replayed all that it got a primary of its own. */
  promote(): Promise<void>;
  /**
   * Copies its data, for which it is stopped for a moment.
   *
   * @returns what puts the copy back in its place, at once: as a failover does to a replica that lacked what came later
   */
  save(): Promise<() => Promise<void>>;
  /** Stops it and removes its folder. */
  stop(): Promise<void>;
  /** Its disk, when it was given one of its own. */
  readonly disk: SmallDisk | undefined;
}

export interface PostgresOptions {
  /** Of postgresql.conf, in place of or besides those that suit a test. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Size of a disk (tmpfs) of its own for data and WAL, in MiB: one that can be full. It needs root. */
  readonly diskMiB?: number;
  /** A server that this one is a standby of, by streaming replication: it is stopped for a moment and copied. */
  readonly follows?: Postgres;
}

export interface Database {
  readonly name: string;
  /** Folder with the files of its secret. */
  readonly secret: string;
  query<Row extends QueryResultRow>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

const PASSWORD = "only on loopback";

/** The primary's slot for its one standby. */
const STANDBY = "standby";

export async function startPostgres({ settings = {}, diskMiB, follows }: PostgresOptions = {}): Promise<Postgres> {
  const bin = binaries();
  const folder = mkdtempSync(join(tmpdir(), "caudal-postgres-"));
  const data = join(folder, "data");
  const [port = 0] = await freePorts(1);
  const user = await unprivilegedUser();
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  const passwordFile = join(folder, "password");
  writeFileSync(passwordFile, `${PASSWORD}\n`, { mode: 0o644 });
  const disk = diskMiB === undefined ? undefined : await mountSmallDisk(data, diskMiB, user);
  let server: ChildProcess | undefined;

  function asUser(command: string, args: readonly string[]): Promise<string> {
    const { program, rest } = drop(command, args);
    return run(program, rest, { cwd: folder });
  }
  function drop(command: string, args: readonly string[]): { program: string; rest: readonly string[] } {
    if (user === undefined) return { program: command, rest: args };
    const { uid, gid } = user;
    return { program: "setpriv", rest: [`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", command, ...args] };
  }

  const running = (): boolean => server !== undefined && server.exitCode === null && server.signalCode === null;

  async function start(): Promise<void> {
    const up = async (): Promise<true | undefined> => {
      // After a SIGKILL it refuses to start as long as one of its old processes has the shared memory.
      if (!running()) launch();
      return await answers(port);
    };
    await poll(up, { seconds: 120, everyMs: 100, onTimeout: () => `PostgreSQL did not start in ${data}` });
  }

  function launch(): void {
    const all = {
      port: String(port),
      listen_addresses: "127.0.0.1",
      unix_socket_directories: "",
      fsync: "off", // a SIGKILL loses nothing that the kernel has; only a power cut would
      shared_buffers: "64MB",
      max_connections: "60",
      max_wal_size: "512MB",
      log_min_messages: disk === undefined ? "fatal" : "error",
      // Segments of 1 MiB, and few of them kept: a full disk soon meets the WAL too.
      ...(disk === undefined ? {} : { max_wal_size: "32MB", min_wal_size: "2MB" }),
      ...(follows === undefined ? {} : following(follows)),
      ...settings,
    };
    const { program, rest } = drop(join(bin, "postgres"), [
      ...["-D", data],
      ...Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
    ]);
    // postgres(1) is what setpriv becomes: the child's pid is the postmaster's.
    const launched = spawn(program, rest, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
    server = launched;
    const withUs = (): void => void launched.kill("SIGQUIT");
    process.once("exit", withUs);
    launched.once("exit", () => process.off("exit", withUs));
    launched.stderr.setEncoding("utf8").on("data", (said: string) => disk?.heard(said));
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    const ending = server;
    if (ending === undefined || !running()) return;
    const exited = new Promise((resolve) => ending.once("exit", resolve));
    ending.kill(signal);
    await exited;
  }

  function secretFor(dbname: string, username: string): string {
    const secret = mkdtempSync(join(folder, "secret-"));
    const files = { host: "127.0.0.1", port: String(port), dbname, username, password: PASSWORD, sslmode: "disable" };
    for (const [file, text] of Object.entries(files)) writeFileSync(join(secret, file), text);
    return secret;
  }

  async function database(name: string, options = ""): Promise<Database> {
    if (name !== "postgres" && follows === undefined)
      await queryOnce(port, "postgres", `create database "${name}" ${options}`);
    return {
      name,
      secret: secretFor(name, "app"),
      query: async <Row extends QueryResultRow>(text: string, values: readonly unknown[] = []) =>
        await queryOnce<Row>(port, name, text, values),
    };
  }

  async function initialize(): Promise<void> {
    await asUser(join(bin, "initdb"), [
      ...["-D", data, "-U", "app", "--auth=scram-sha-256", `--pwfile=${passwordFile}`],
      ...["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", ...(disk === undefined ? [] : ["--wal-segsize=1"])],
    ]);
  }

  /** A copy of a server that stands still; slots stay behind, as they do in a base backup. */
  async function copy(primary: Postgres): Promise<void> {
    await queryOnce(primary.port, "postgres", "select pg_create_physical_replication_slot($1, true)", [STANDBY]);
    await primary.halt();
    await asUser("cp", ["-a", primary.data, data]);
    await primary.start();
    await asUser("find", [join(data, "pg_replslot"), "-mindepth", "1", "-delete"]);
    await asUser("touch", [join(data, "standby.signal")]);
  }

  async function save(): Promise<() => Promise<void>> {
    const saved = join(folder, "saved");
    await end("SIGINT");
    await asUser("rm", ["-rf", saved]);
    await asUser("cp", ["-a", data, saved]);
    await start();
    return async () => {
      await end("SIGQUIT");
      await asUser("find", [data, "-mindepth", "1", "-delete"]);
      await asUser("cp", ["-a", `${saved}/.`, data]);
      await start();
    };
  }

  try {
    await (follows === undefined ? initialize() : copy(follows));
    await start();
    const { secret } = await database("postgres");
    return {
      port,
      data,
      get pid() {
        return server?.pid;
      },
      secret,
      database,
      user: async (dbname, name) => {
        await queryOnce(port, dbname, `create role "${name}" login password '${PASSWORD}'`);
        return secretFor(dbname, name);
      },
      start,
      restart: async (shutdown = "SIGINT") => {
        await end(shutdown);
        await start();
      },
      halt: async () => await end("SIGINT"),
      promote: async () => void (await queryOnce(port, "postgres", "select pg_promote()")),
      kill: async () => await end("SIGKILL"),
      save,
      stop: async () => await remove("SIGINT"),
      disk,
    };
  } catch (error) {
    await remove("SIGKILL");
    throw error;
  }

  async function remove(signal: NodeJS.Signals): Promise<void> {
    await end(signal);
    await disk?.unmount();
    rmSync(folder, { recursive: true, force: true });
  }
}

function following({ port }: Postgres): Readonly<Record<string, string>> {
  return {
    primary_conninfo: `host=127.0.0.1 port=${port} user=app password='${PASSWORD}' dbname=postgres`,
    primary_slot_name: STANDBY,
    hot_standby_feedback: "on",
  };
}

async function answers(port: number): Promise<true | undefined> {
  try {
    await queryOnce(port, "postgres", "select 1");
    return true;
  } catch (error) {
    if (error instanceof Error) return undefined; // not yet: poll() says so when it takes too long
    throw error;
  }
}

async function queryOnce<Row extends QueryResultRow>(
  port: number,
  database: string,
  text: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  const client = new Client({ host: "127.0.0.1", port, database, user: "app", password: PASSWORD });
  client.on("error", () => undefined); // a server that is being killed; the query itself rejects
  await client.connect();
  try {
    return (await client.query<Row>(text, [...values])).rows;
  } finally {
    await client.end();
  }
}

/** Folder of the newest server that Debian's packages have installed. */
function binaries(): string {
  const root = "/usr/lib/postgresql";
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  const found = versions.map((version) => join(root, version, "bin")).find((bin) => existsSync(join(bin, "initdb")));
  if (found === undefined)
    throw new ToolMissing("PostgreSQL is not installed: apt-get install postgresql (15 or newer)");
  return found;
}

/** PostgreSQL refuses to run as root: the package's own user then. */
async function unprivilegedUser(): Promise<{ readonly uid: number; readonly gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const [uid, gid] = await Promise.all(["-u", "-g"].map(async (flag) => Number(await run("id", [flag, "postgres"]))));
  if (!uid || !gid) throw new HostUnfit("there is no user postgres: apt-get install postgresql makes it");
  return { uid, gid };
}
