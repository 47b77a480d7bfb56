/** One connection to a Redis that is fit to keep exact results, with our scripts on it. */
import { createClient } from "@redis/client";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import { BEGIN, WRITE } from "./core/script.ts";
import { redisError, RedisRefused, RedisUnavailable } from "./errors.ts";

export interface RedisConnectionOptions {
  /** Folder with the file `uri`: redis://user:password@host:port/database, or rediss:// for TLS; and perhaps ca.crt. */
  readonly secret: string;
  readonly name: string;
  /** Told of each call: its name, how long it took and whether it went well. */
  readonly onCall: (call: string, seconds: number, outcome: "ok" | "error") => void;
}

const CONNECT_MS = 10_000;
/** Longer than a server takes for a script of ours; one that answers nothing at all is let go. */
const ANSWER_MS = 30_000;

type Client = ReturnType<typeof connectionTo>;

/** With rediss:// the server's certificate and its name are always checked: by `ca` where it is given, and else by the system's. */
function connectionTo(url: string, ca: string | undefined, name: string) {
  const { protocol, hostname } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, "");
  const tls =
    protocol === "rediss:"
      ? {
          tls: true as const,
          rejectUnauthorized: true,
          checkServerIdentity: (_: string, certificate: PeerCertificate) => checkServerIdentity(host, certificate),
          ...(isIP(host) === 0 ? { servername: host } : {}),
          ...(ca === undefined ? {} : { ca }),
        }
      : {};
  return createClient({
    url,
    name,
    RESP: 2,
    disableOfflineQueue: true,
    // Whoever loses a connection does not know what was done: it asks for progress on a new one.
    socket: { reconnectStrategy: false, connectTimeout: CONNECT_MS, keepAlive: true, ...tls },
  });
}

export class RedisConnection {
  readonly #client: Client;
  readonly #onCall: RedisConnectionOptions["onCall"];
  readonly #begin: string;
  readonly #write: string;
  #lost = false;

  private constructor(client: Client, onCall: RedisConnectionOptions["onCall"], scripts: readonly [string, string]) {
    this.#client = client;
    this.#onCall = onCall;
    [this.#begin, this.#write] = scripts;
    client.on("error", () => (this.#lost = true)); // the call in hand, or the next one, says so
  }

  /**
   * Connects, checks that the server keeps what it is given, and loads the scripts. The secret is read again each time.
   *
   * @throws RedisUnavailable, RedisRefused
   */
  static async open(options: RedisConnectionOptions): Promise<RedisConnection> {
    const began = performance.now();
    let client: Client | undefined;
    let at = "";
    try {
      const uri = await readUri(options.secret);
      at = ` at ${new URL(uri).host}`;
      client = connectionTo(uri, await readAuthority(options.secret), options.name);
      client.on("error", () => undefined); // connect() rejects
      await withinTime(client.connect(), CONNECT_MS);
      checkServer(String(await withinTime(client.sendCommand(["INFO"]), ANSWER_MS)));
      const load = async (script: string) => String(await client?.sendCommand(["SCRIPT", "LOAD", script]));
      const scripts = [await load(BEGIN), await load(WRITE)] as const;
      options.onCall("connect", (performance.now() - began) / 1000, "ok");
      return new RedisConnection(client, options.onCall, scripts);
    } catch (error) {
      client?.destroy();
      options.onCall("connect", (performance.now() - began) / 1000, "error");
      throw redisError(error, `connect to Redis${at} with the uri of ${options.secret}`);
    }
  }

  get lost(): boolean {
    return this.#lost;
  }

  /** Runs the script {@link BEGIN}. */
  async begin(key: string, args: readonly string[]): Promise<readonly unknown[]> {
    return (await this.#run("begin", this.#begin, key, args)) as readonly unknown[];
  }

  /**
   * Runs the script {@link WRITE}. After an error that is no answer of the server the outcome is not known.
   *
   * @returns whether progress was as expected, and is moved
   */
  async write(key: string, args: readonly string[]): Promise<boolean> {
    return (await this.#run("write", this.#write, key, args)) === 1;
  }

  /** Fields of a hash, as texts; null for one that is not there. */
  async read(key: string, fields: readonly string[]): Promise<readonly (string | null)[]> {
    const answer = (await this.#send("read", ["HMGET", key, ...fields])) as readonly unknown[];
    return answer.map((value) => (value === null ? null : String(value)));
  }

  close(): void {
    this.#lost = true;
    if (this.#client.isOpen) this.#client.destroy();
  }

  async #run(call: string, script: string, key: string, args: readonly string[]): Promise<unknown> {
    return await this.#send(call, ["EVALSHA", script, "1", key, ...args]);
  }

  async #send(call: string, command: string[]): Promise<unknown> {
    const began = performance.now();
    try {
      const answer: unknown = await withinTime(this.#client.sendCommand(command), ANSWER_MS);
      this.#onCall(call, (performance.now() - began) / 1000, "ok");
      return answer;
    } catch (error) {
      this.#onCall(call, (performance.now() - began) / 1000, "error");
      this.close();
      throw redisError(error, `${call} in Redis`);
    }
  }
}

/** Read again for each connection, so that a rotated authority works without a restart. */
async function readAuthority(folder: string): Promise<string | undefined> {
  const file = join(folder, "ca.crt");
  return existsSync(file) ? await readFile(file, "utf8") : undefined;
}

async function readUri(folder: string): Promise<string> {
  try {
    const uri = (await readFile(join(folder, "uri"), "utf8")).trim();
    if (/^rediss?:\/\/./.test(uri) && URL.canParse(uri)) return uri;
  } catch (error) {
    throw new RedisRefused(`${folder}, with which to log in to Redis, has no readable key uri: add it`, {
      cause: error,
    });
  }
  throw new RedisRefused(
    `the key uri of ${folder} is no address of a Redis: write redis://:password@host:6379, or rediss:// for TLS, with what is special in the password as in a URL`,
  );
}

/** @param info what the server says of itself (INFO) */
function checkServer(info: string): void {
  const said = new Map(info.split(/\r?\n/).map((line) => [line.split(":", 1)[0] ?? "", line.split(":")[1] ?? ""]));
  if (said.get("cluster_enabled") === "1")
    throw new RedisRefused(
      "this Redis is a Cluster, whose keys no script can write together: use one without cluster-enabled",
    );
  const policy = said.get("maxmemory_policy") ?? "";
  if (policy.startsWith("allkeys-"))
    throw new RedisRefused(
      `this Redis may evict any key (maxmemory-policy ${policy}), also those with our progress, and events would be written again or not at all: set maxmemory-policy to noeviction, or to volatile-ttl, which evicts only keys with a time to live`,
    );
  if (said.get("role") !== "master")
    throw new RedisUnavailable(`this Redis is a ${said.get("role")}: waiting for the primary`);
}

async function withinTime<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new RedisUnavailable(`Redis did not answer in ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
