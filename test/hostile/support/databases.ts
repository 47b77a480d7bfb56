/** Servers that speak as much of PostgreSQL's protocol as it takes to do harm with it. */
import { createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";

const SSL_REQUEST = 80_877_103;

/** A message of the server: its type, its length and what is in it. */
export function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(type, 0, "latin1");
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};

/** Lets in whoever comes, and is ready for a query. */
export const welcome = Buffer.concat([
  message("R", int32(0)),
  message("S", Buffer.from("server_version\0" + "18.0\0")),
  message("Z", Buffer.from("I")),
]);
/** Asks for the password as it is. */
export const askPassword = message("R", int32(3));

export const errorMessage = (text: string): Buffer =>
  message("E", Buffer.concat([Buffer.from(`SFATAL\0VFATAL\0C28000\0M${text}\0`), Buffer.from([0])]));

export interface Behaviour {
  /** What it says to the question whether it has TLS: one letter, or nothing at all. */
  readonly tls?: "S" | "N" | "silence" | "nonsense";
  /** After the client's first message in clear text. */
  readonly greet?: (socket: Socket) => void;
  /** After each further one. */
  readonly answer?: (socket: Socket) => void;
}

export interface BadDatabase {
  readonly port: number;
  /** All that clients said, in clear text. */
  heard(): string;
  /** Connections that were made, and that are open now. */
  readonly count: { ever: number; now: number; most: number };
  stop(): void;
}

export async function badDatabase({ tls = "N", greet, answer }: Behaviour): Promise<BadDatabase> {
  const heard: Buffer[] = [];
  const sockets = new Set<Socket>();
  const count = { ever: 0, now: 0, most: 0 };
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    count.ever++;
    count.most = Math.max(count.most, ++count.now);
    socket.on("error", () => undefined).on("close", () => (count.now--, sockets.delete(socket)));
    let greeted = false;
    socket.on("data", (bytes) => {
      heard.push(bytes);
      if (bytes.length === 8 && bytes.readInt32BE(4) === SSL_REQUEST) {
        if (tls === "nonsense") socket.write(Buffer.alloc(64, "x"));
        else if (tls !== "silence") socket.write(tls);
        return;
      }
      if (greeted) answer?.(socket);
      else greet?.(socket);
      greeted = true;
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as { port: number }).port,
    heard: () => Buffer.concat(heard).toString("latin1"),
    count,
    stop: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** Sends as long as somebody takes it. */
export function endlessly(piece: Buffer): (socket: Socket) => void {
  return (socket) => {
    const write = () => {
      while (!socket.destroyed && socket.write(piece)) continue;
    };
    socket.on("drain", write);
    write();
  };
}
