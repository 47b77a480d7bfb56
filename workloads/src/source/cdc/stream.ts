/**
 * A replication connection (https://www.postgresql.org/docs/current/protocol-replication.html): after START_REPLICATION
 * both sides send messages, each in a CopyData of the ordinary protocol.
 *
 *   from the server   'w' begin of the data (u64)  end of the log (u64)  time (i64)  data        a message of pgoutput
 *                     'k' end of the log (u64)  time (i64)  reply wanted (u8)                     keepalive
 *   from us           'r' written (u64)  flushed (u64)  applied (u64)  time (i64)  reply wanted (u8)
 *
 * What we call flushed the server may forget: it is told only what Kafka has committed.
 */
import type { Client } from "pg";
import { connectClient, destroySocket } from "../../postgres/client.ts";
import { identifier, literal } from "../../postgres/core/identifiers.ts";
import { databaseError, DatabaseExhausted, DatabaseUnavailable } from "../../postgres/errors.ts";
import { readSecret } from "../../postgres/secret.ts";
import { WorkloadError } from "../../runtime/errors.ts";
import { AS_THEY_ARE, VALUE_SETTINGS } from "../catalog.ts";
import { formatLsn } from "./lsn.ts";
import { Bytes } from "./pgoutput/bytes.ts";

export type Received =
  | { readonly kind: "data"; readonly data: Buffer }
  | { readonly kind: "keepalive"; readonly end: bigint; readonly replyWanted: boolean };

/** Bytes that may wait to be handled before the server is slowed down. */
const MOST_WAITING = 16 << 20;
const FEW_WAITING = 4 << 20;
/** Our status is sent this often; the server's wal_sender_timeout is a minute by default. */
const STATUS_MS = 10_000;
/** A server that has not said anything for so long, though asked, is gone. */
const SILENCE_MS = 40_000;
/** 2000-01-01 in epoch microseconds. */
const POSTGRES_EPOCH = 946_684_800_000_000n;

/** pg keeps these public in fact though not in its types. */
interface Wire {
  on(event: "copyData", listener: (message: { readonly chunk: Buffer }) => void): void;
  sendCopyFromChunk(chunk: Buffer): void;
  readonly stream: { pause(): void; resume(): void; readonly writable: boolean };
}

export class ReplicationStream {
  readonly #client: Client;
  readonly #wire: Wire;
  readonly #waiting: Received[] = [];
  #bytes = 0;
  #paused = false;
  #heardAt = performance.now();
  #confirmed = 0n;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  private constructor(client: Client) {
    this.#client = client;
    this.#wire = (client as unknown as { connection: Wire }).connection;
    client.on("error", (error: unknown) => this.#fail(error));
    client.on("end", () => this.#fail(new DatabaseUnavailable("the replication connection has ended")));
  }

  static async open(secretFolder: string, applicationName: string): Promise<ReplicationStream> {
    try {
      const secret = await readSecret(secretFolder);
      const client = await connectClient(secret, { application_name: applicationName, replication: "database" });
      const stream = new ReplicationStream(client);
      const settings = { TimeZone: "UTC", DateStyle: "ISO, YMD", IntervalStyle: "postgres", ...VALUE_SETTINGS };
      for (const [name, value] of Object.entries(settings)) await stream.command(`set ${name} = ${literal(value)}`);
      await stream.command(AS_THEY_ARE);
      return stream;
    } catch (error) {
      throw replicationError(error, "connect for replication");
    }
  }

  /** Runs a command of the replication protocol, whose words are in capitals, or simple SQL. @returns its first row */
  async command(text: string): Promise<Readonly<Record<string, string | null>>> {
    try {
      const { rows } = await this.#client.query<Record<string, string | null>>(text);
      return rows[0] ?? {};
    } catch (error) {
      throw replicationError(error, text.split(" ").slice(0, 2).join(" "));
    }
  }

  /** Begins to stream what is committed from there on. The publication has the slot's name. */
  start(slot: string, from: bigint): void {
    this.#confirmed = from;
    this.#wire.on("copyData", ({ chunk }) => this.#receive(chunk));
    const options = `proto_version '1', publication_names ${literal(identifier(slot))}`;
    const ended = this.#client.query(
      `START_REPLICATION SLOT ${identifier(slot)} LOGICAL ${formatLsn(from)} (${options})`,
    );
    ended.then(
      () => this.#fail(new DatabaseUnavailable("the server has ended the replication")),
      (error: unknown) => this.#fail(streamError(error)),
    );
    this.#timer = setInterval(() => this.#tick(), STATUS_MS);
  }

  /** Whether nothing waits to be handled. */
  get idle(): boolean {
    return this.#waiting.length === 0;
  }

  /** Waits for the next message, at most so long. @returns undefined when none came */
  async next(ms: number): Promise<Received | undefined> {
    if (this.#waiting.length === 0 && this.#failure === undefined)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    this.#wake = undefined;
    const message = this.#waiting.shift();
    if (message === undefined) {
      if (this.#failure !== undefined) throw this.#failure;
      return undefined;
    }
    if (message.kind === "data") this.#bytes -= message.data.length;
    if (this.#paused && this.#bytes < FEW_WAITING) {
      this.#paused = false;
      this.#heardAt = performance.now();
      this.#wire.stream.resume();
    }
    return message;
  }

  /** The server may forget what is before it. */
  confirm(lsn: bigint): void {
    if (lsn > this.#confirmed) this.#confirmed = lsn;
    this.#sendStatus(false);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#failure ??= new DatabaseUnavailable("the replication connection is closed");
    const timer = setTimeout(() => destroySocket(this.#client), 1_000);
    try {
      destroySocket(this.#client);
      await this.#client.end();
    } finally {
      clearTimeout(timer);
    }
  }

  #receive(chunk: Buffer): void {
    this.#heardAt = performance.now();
    try {
      const bytes = new Bytes(chunk);
      const tag = bytes.tag();
      if (tag === "w") {
        for (let field = 0; field < 3; field++) bytes.uint64();
        // pg uses its buffer again.
        const data = Buffer.from(bytes.rest());
        this.#waiting.push({ kind: "data", data });
        this.#bytes += data.length;
        if (this.#bytes > MOST_WAITING && !this.#paused) {
          this.#paused = true;
          this.#wire.stream.pause();
        }
      } else if (tag === "k") {
        const end = bytes.uint64();
        bytes.uint64();
        this.#waiting.push({ kind: "keepalive", end, replyWanted: bytes.int8() === 1 });
      }
      this.#wake?.();
    } catch (error) {
      this.#fail(error);
    }
  }

  #tick(): void {
    if (!this.#paused && performance.now() - this.#heardAt > SILENCE_MS) {
      this.#fail(new DatabaseUnavailable("the replication connection is silent"));
      destroySocket(this.#client);
      return;
    }
    this.#sendStatus(true);
  }

  #sendStatus(replyWanted: boolean): void {
    if (this.#failure !== undefined || !this.#wire.stream.writable) return;
    const status = Buffer.alloc(34);
    status.write("r", "latin1");
    for (const at of [1, 9, 17]) status.writeBigUInt64BE(this.#confirmed, at);
    status.writeBigInt64BE(BigInt(Date.now()) * 1000n - POSTGRES_EPOCH, 25);
    status.writeUInt8(replyWanted ? 1 : 0, 33);
    this.#wire.sendCopyFromChunk(status);
  }

  #fail(error: unknown): void {
    this.#failure ??= error instanceof WorkloadError ? error : databaseError(error, "replication");
    this.#wake?.();
  }
}

/** What asks for another look at the slot, which then tells whether it is lost. */
const ASKS_AGAIN = new Set([
  "42704", // it is not there
  "55000", // it was invalidated
  "XX000", // the catalog has changed under the decoding, such as when the slot was dropped meanwhile
]);

/** What to do about what a server has too few of, by SQLSTATE: PostgreSQL's own words name the setting at most. */
const ADVICE: Readonly<Record<string, string>> = {
  "53300":
    "end a connection that nobody needs (select pid, application_name, state from pg_stat_replication), or raise " +
    "max_wal_senders, or max_connections, and restart the server",
  "53400":
    "remove a slot that nobody needs (select slot_name, active from pg_replication_slots; select " +
    "pg_drop_replication_slot(…)), or raise max_replication_slots and restart the server",
};

function replicationError(error: unknown, doing: string): WorkloadError {
  const known = databaseError(error, doing);
  const advice = ADVICE[stateOf(error)];
  return advice === undefined ? known : new DatabaseExhausted(`${known.message}: ${advice}`, { cause: error });
}

function stateOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

function streamError(error: unknown): WorkloadError {
  const known = replicationError(error, "START_REPLICATION");
  const state = stateOf(error);
  return ASKS_AGAIN.has(state) ? new DatabaseUnavailable(known.message, { cause: error }) : known;
}
