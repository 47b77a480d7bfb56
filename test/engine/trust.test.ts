/** Who is trusted, by which mode: PostgreSQL, Redis and a store with certificates of every kind, and a man in the middle. */
import { chownSync, cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Connection } from "../../workloads/src/postgres/connection.ts";
import { type DatabaseSecret, readSecret } from "../../workloads/src/postgres/secret.ts";
import { S3Store } from "../../workloads/src/transform/files/s3-store.ts";
import { RedisConnection } from "../../workloads/src/transform/redis/connection.ts";
import { type Issued, makeAuthority, makeServerCertificate } from "../cluster/stand-ins/core/certificate.ts";
import { poll } from "../cluster/host/poll.ts";
import { type Postgres, startPostgres } from "./postgres.ts";
import { startRedis } from "./redis.ts";
import { startS3 } from "./s3.ts";

const now = new Date();
const longAgo = new Date("2001-01-01T00:00:00Z");
const authority = makeAuthority("shop", now);
/** Of the same name, as an authority that is replaced by another. */
const stranger = makeAuthority("shop", now);
const shown: Readonly<Record<string, Issued>> = {
  right: makeServerCertificate(authority, ["localhost"], now),
  "wrong name": makeServerCertificate(authority, ["elsewhere"], now),
  expired: makeServerCertificate(authority, ["localhost"], longAgo),
  stranger: makeServerCertificate(stranger, ["localhost"], now),
};

let postgres: Postgres;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "caudal-trust-"));
  postgres = await startPostgres();
});
afterAll(async () => {
  await postgres?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Has the server show this certificate, or speak no TLS. */
async function serve(kind: string): Promise<void> {
  const database = await postgres.database("postgres");
  const { certificate, key } = shown[kind] ?? { certificate: "", key: "" };
  const file = (end: string) => join(postgres.data, `${kind.replace(" ", "-")}.${end}`);
  const { uid, gid } = statSync(postgres.data);
  for (const [end, text] of [
    ["crt", certificate],
    ["key", key],
  ] as const) {
    writeFileSync(file(end), text, { mode: 0o600 });
    chownSync(file(end), uid, gid);
  }
  const ssl = kind === "plain" ? "off" : "on";
  if (ssl === "on") {
    await database.query(`alter system set ssl_cert_file = '${file("crt")}'`);
    await database.query(`alter system set ssl_key_file = '${file("key")}'`);
  }
  await database.query(`alter system set ssl = ${ssl}`);
  await database.query("select pg_reload_conf()");
  const settings = "select current_setting('ssl') as ssl, current_setting('ssl_cert_file') as file";
  const done = async () => {
    const [row] = await database.query<{ ssl: string; file: string }>(settings);
    return row?.ssl === ssl && (ssl === "off" || row.file === file("crt")) ? true : undefined;
  };
  await poll(done, { seconds: 60, everyMs: 20, onTimeout: () => `the server does not show ${kind}` });
}

async function reached(secret: DatabaseSecret | string): Promise<string> {
  try {
    const connection = await Connection.open({ secret, applicationName: "trust" });
    const { rows } = await connection.query<{ ssl: boolean }>("test", {
      text: "select ssl from pg_stat_ssl where pid = pg_backend_pid()",
    });
    await connection.close();
    return rows[0]?.ssl === true ? "tls" : "clear";
  } catch (error) {
    return error instanceof Error && "reason" in error && error.reason === "DatabaseNotTrusted"
      ? "refused"
      : String(error);
  }
}

const modes: readonly (readonly [string, Pick<DatabaseSecret, "sslmode" | "ca">])[] = [
  ...(["disable", "allow", "prefer", "require"] as const).map((sslmode) => [sslmode, { sslmode }] as const),
  ["none", {}],
  ...(["require", "verify-ca", "verify-full"] as const).map(
    (sslmode) => [`${sslmode} with an authority`, { sslmode, ca: authority.certificate }] as const,
  ),
  ["none with an authority", { ca: authority.certificate }],
  ["verify-full with the system's", { sslmode: "verify-full" }],
];

const CLEAR = "clear";
it.each<[server: string, outcomes: readonly string[]]>([
  ["plain", [CLEAR, CLEAR, CLEAR, "refused", "refused", "refused", "refused", "refused", "refused", "refused"]],
  ["right", [CLEAR, CLEAR, "tls", "tls", "tls", "tls", "tls", "tls", "tls", "refused"]],
  ["wrong name", [CLEAR, CLEAR, "tls", "tls", "tls", "tls", "tls", "refused", "refused", "refused"]],
  ["expired", [CLEAR, CLEAR, "tls", "tls", "tls", "refused", "refused", "refused", "refused", "refused"]],
  ["stranger", [CLEAR, CLEAR, "tls", "tls", "tls", "refused", "refused", "refused", "refused", "refused"]],
])("PostgreSQL (%s) is reached as sslmode says", async (kind, outcomes) => {
  await serve(kind);
  const login = { ...(await readSecret(postgres.secret)), host: "localhost" };
  const { sslmode: _plain, ...rest } = login;
  const found: [string, string][] = [];
  for (const [name, mode] of modes) found.push([name, await reached({ ...rest, ...mode })]);
  expect(Object.fromEntries(found)).toEqual(Object.fromEntries(modes.map(([name], at) => [name, outcomes[at]])));
});

it("falls back from clear text to TLS with allow, where the server wants TLS", async () => {
  await serve("right");
  const hba = join(postgres.data, "pg_hba.conf");
  const before = readFileSync(hba, "utf8");
  const { query } = await postgres.database("postgres");
  await query("create role only_tls login password 'only on loopback'");
  writeFileSync(hba, `hostnossl all only_tls all reject\n${before}`);
  await query("select pg_reload_conf()");
  const login = { ...(await readSecret(postgres.secret)), host: "localhost", user: "only_tls" };
  await expect
    .poll(async () => await reached({ ...login, sslmode: "disable" }), { timeout: 60_000 })
    .toContain("28000");
  expect(await reached({ ...login, sslmode: "allow" })).toBe("tls");
});

it("reads the authority again for each connection, and trusts every certificate of it", async () => {
  const secret = join(folder, "rotated");
  cpSync(postgres.secret, secret, { recursive: true });
  writeFileSync(join(secret, "host"), "localhost");
  rmSync(join(secret, "sslmode"));
  writeFileSync(join(secret, "ca.crt"), authority.certificate);
  await serve("stranger");
  expect(await reached(secret)).toBe("refused");
  for (const both of [stranger.certificate + authority.certificate, authority.certificate + stranger.certificate]) {
    writeFileSync(join(secret, "ca.crt"), both);
    for (const kind of ["stranger", "right"]) {
      await serve(kind);
      expect(await reached(secret)).toBe("tls");
    }
  }
});

/** Says that it speaks no TLS, and keeps what it is told. */
async function middle(): Promise<{ readonly port: number; readonly told: () => string; readonly server: Server }> {
  const heard: Buffer[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (data) => {
      heard.push(data);
      // 'N', and to whom goes on in clear text: the password, please.
      socket.write(heard.length === 1 ? "N" : Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]));
      if (heard.length > 2) socket.destroy();
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { port, server, told: () => Buffer.concat(heard).toString("latin1") };
}

it.each<[string, Pick<DatabaseSecret, "sslmode" | "ca">, boolean]>([
  ["prefer, which was asked for", { sslmode: "prefer" }, true],
  ["require", { sslmode: "require" }, false],
  ["none", {}, false],
  ["verify-ca", { sslmode: "verify-ca", ca: authority.certificate }, false],
  ["verify-full", { sslmode: "verify-full", ca: authority.certificate }, false],
])("a man in the middle who says that there is no TLS gets a password: %s", async (_name, mode, gets) => {
  const { port, server, told } = await middle();
  const secret = { host: "localhost", port, database: "shop", user: "app", password: "the-password", ...mode };
  try {
    const outcome = await reached(secret);
    expect(told().includes("the-password")).toBe(gets);
    if (!gets) expect([outcome, told().length]).toEqual(["refused", 8]);
  } finally {
    server.close();
  }
});

/** TLS before a server that speaks none, for the time of one case. */
async function behindTls<T>(kind: string, to: number, work: (port: number) => Promise<T>): Promise<T> {
  const { certificate, key } = shown[kind] ?? expect.fail(kind);
  const server = createTlsServer({ cert: certificate, key }, (socket) => {
    const onward = connect(to, "127.0.0.1");
    for (const end of [socket, onward]) end.on("error", () => [socket, onward].forEach((one) => one.destroy()));
    socket.pipe(onward).pipe(socket);
  }).listen(0, "127.0.0.1");
  server.on("tlsClientError", () => undefined);
  await once(server, "listening");
  try {
    return await work((server.address() as AddressInfo).port);
  } finally {
    server.close();
  }
}

const verdicts: readonly (readonly [kind: string, ca: string | undefined, trusted: boolean])[] = [
  ["right", authority.certificate, true],
  ["right", stranger.certificate + authority.certificate, true],
  ["right", undefined, false],
  ["wrong name", authority.certificate, false],
  ["expired", authority.certificate, false],
  ["stranger", authority.certificate, false],
];
const says = /certificate|altname/i;

it("Redis by rediss:// is trusted by its authority alone", async () => {
  const redis = await startRedis();
  try {
    const uri = new URL(readFileSync(join(redis.secret, "uri"), "utf8"));
    for (const [kind, ca, trusted] of verdicts)
      await behindTls(kind, redis.port, async (port) => {
        const secret = mkdtempSync(join(folder, "redis-"));
        writeFileSync(join(secret, "uri"), `rediss://:${uri.password}@localhost:${port}`);
        if (ca !== undefined) writeFileSync(join(secret, "ca.crt"), ca);
        const opening = RedisConnection.open({ secret, name: "trust", onCall: () => undefined });
        if (trusted) (await opening).close();
        else await expect(opening, kind).rejects.toThrow(says);
      });
  } finally {
    await redis.stop();
  }
});

it("a store by https:// is trusted by its authority alone", async () => {
  const s3 = await startS3();
  try {
    s3.bucket("lake");
    const file = join(folder, "file");
    writeFileSync(file, "content");
    for (const [kind, ca, trusted] of verdicts)
      await behindTls(kind, s3.port, async (port) => {
        const secret = mkdtempSync(join(folder, "s3-"));
        cpSync(s3.secret, secret, { recursive: true });
        if (ca !== undefined) writeFileSync(join(secret, "ca.crt"), ca);
        const endpoint = `https://localhost:${port}`;
        const store = new S3Store({ bucket: "lake", prefix: "", region: "us-east-1", endpoint, secret });
        const writing = store.put("a", file);
        if (trusted) await writing;
        else await expect(writing, kind).rejects.toThrow(says);
        store.close();
      });
  } finally {
    await s3.stop();
  }
});
