/** A TCP proxy on loopback whose network is as bad as a test wants it: slow, silent, broken, or cut at a word. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** Looks at the bytes of one connection as they pass. */
export interface Listener {
  /** @returns what to pass on; with `cut`, both sides are closed after it */
  fromClient(bytes: Buffer): Passing;
  fromServer(bytes: Buffer): Passing;
}

export interface Passing {
  readonly bytes: Buffer;
  readonly cut: boolean;
}

export interface TcpProxy {
  readonly port: number;
  /** Milliseconds that everything waits on its way from now on, in each direction. */
  delay(ms: number): void;
  /**
   * Black hole: connections stay open and nothing passes, until it is released; then everything comes after all, as TCP
   * repeats what was not acknowledged: also what a client had sent that has closed its side meanwhile. Connections that
   * are opened meanwhile are black holes too.
   *
   * @param choose of those that are open
   */
  hold(choose: () => boolean): { readonly count: number; release(): void };
  /** Resets (RST) the connections that are chosen, on both sides. @returns how many */
  reset(choose: () => boolean): number;
  close(): Promise<void>;
}

/** Bytes that may wait in one direction before its sender is slowed down. */
const MOST_WAITING = 4 << 20;

/** One direction of a connection: bytes leave in order, each when its time has come. */
class Flow {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #waiting: { readonly bytes: Buffer; readonly due: number }[] = [];
  #size = 0;
  #holds = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, to: Socket) {
    this.#from = from;
    this.#to = to;
    to.on("drain", () => this.#flush());
  }

  push(bytes: Buffer, delayMs: number): void {
    this.#waiting.push({ bytes, due: performance.now() + delayMs });
    this.#size += bytes.length;
    if (this.#size > MOST_WAITING) this.#from.pause();
    this.#flush();
  }

  hold(): void {
    this.#holds++;
  }

  release(): void {
    this.#holds--;
    this.#flush();
  }

  get held(): boolean {
    return this.#holds > 0;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#waiting.length = 0;
  }

  #flush(): void {
    clearTimeout(this.#timer);
    for (let next = this.#waiting[0]; next !== undefined && this.#holds === 0; next = this.#waiting[0]) {
      const early = next.due - performance.now();
      if (early > 0) {
        this.#timer = setTimeout(() => this.#flush(), early);
        return;
      }
      if (this.#to.writableNeedDrain) return;
      this.#waiting.shift();
      this.#size -= next.bytes.length;
      this.#to.write(next.bytes);
    }
    if (this.#size <= MOST_WAITING) this.#from.resume();
  }
}

class Link {
  readonly client: Socket;
  readonly upstream: Socket;
  readonly toServer: Flow;
  readonly toClient: Flow;

  constructor(client: Socket, upstream: Socket) {
    this.client = client;
    this.upstream = upstream;
    this.toServer = new Flow(client, upstream);
    this.toClient = new Flow(upstream, client);
  }

  hold(): void {
    this.toServer.hold();
    this.toClient.hold();
  }

  release(): void {
    this.toServer.release();
    this.toClient.release();
    if (this.client.destroyed) this.upstream.end();
    if (this.upstream.destroyed) this.client.end();
  }

  /** One side is gone; the other hears of it, unless nothing passes now. */
  ended(): void {
    if (this.toServer.held) return;
    this.toServer.stop();
    this.toClient.stop();
    this.client.destroy();
    this.upstream.destroy();
  }
}

/** @param listen makes what looks at a new connection's bytes */
export async function startTcpProxy(targetPort: number, listen?: () => Listener): Promise<TcpProxy> {
  const links = new Set<Link>();
  const holds = new Set<Link[]>();
  let delayMs = 0;

  const server = createServer((client) => {
    const upstream = connect(targetPort, "127.0.0.1");
    client.setNoDelay(true);
    upstream.setNoDelay(true);
    const link = new Link(client, upstream);
    links.add(link);
    for (const held of holds) {
      held.push(link);
      link.hold();
    }
    for (const socket of [client, upstream]) {
      socket.on("error", () => socket.destroy());
      socket.on("close", () => {
        if (client.destroyed && upstream.destroyed) links.delete(link);
        link.ended();
      });
    }
    const listener = listen?.();
    client.on("data", (bytes: Buffer) => {
      const { bytes: passed, cut } = listener?.fromClient(bytes) ?? { bytes, cut: false };
      if (!cut) return link.toServer.push(passed, delayMs);
      upstream.end(passed);
      client.destroy();
    });
    upstream.on("data", (bytes: Buffer) => {
      const { bytes: passed, cut } = listener?.fromServer(bytes) ?? { bytes, cut: false };
      if (!cut) return link.toClient.push(passed, delayMs);
      client.end(passed);
      upstream.destroy();
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");

  return {
    port: (server.address() as AddressInfo).port,
    delay: (ms) => (delayMs = ms),
    hold: (choose) => {
      const held = [...links].filter(() => choose());
      for (const link of held) link.hold();
      holds.add(held);
      return {
        count: held.length,
        release: () => {
          if (!holds.delete(held)) return;
          for (const link of held) link.release();
        },
      };
    },
    reset: (choose) => {
      const chosen = [...links].filter(() => choose());
      for (const { client, upstream } of chosen) {
        client.resetAndDestroy();
        upstream.resetAndDestroy();
      }
      return chosen.length;
    },
    close: async () => {
      for (const { client, upstream } of links) {
        client.destroy();
        upstream.destroy();
      }
      server.close();
      await once(server, "close");
    },
  };
}
