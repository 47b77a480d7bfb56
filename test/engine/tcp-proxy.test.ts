/** The bad network of the tests is as bad as it says. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startTcpProxy, type TcpProxy } from "./tcp-proxy.ts";

let server: Server;
let proxy: TcpProxy;
/** What the server has heard, and "end" when a client has gone. */
let heard: () => string;

/** A client whose words are echoed. */
const newClient = async (): Promise<{ readonly socket: Socket; said: () => string }> => {
  const socket = connect(proxy.port, "127.0.0.1");
  let said = "";
  socket.setEncoding("utf8").on("data", (text: string) => (said += text));
  socket.on("error", (error: NodeJS.ErrnoException) => (said += error.code));
  await once(socket, "connect");
  return { socket, said: () => said };
};

beforeEach(async () => {
  let words = "";
  heard = () => words;
  server = createServer((socket) => {
    socket.setEncoding("utf8").on("data", (text: string) => {
      words += text;
      socket.write(text);
    });
    socket.on("error", () => (words += "error"));
    socket.on("end", () => (words += "end"));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  proxy = await startTcpProxy((server.address() as AddressInfo).port);
});
afterEach(async () => {
  await proxy.close();
  server.close();
});

it("a black hole passes nothing, and everything when it is released, also for connections made meanwhile", async () => {
  const before = await newClient();
  before.socket.write("a");
  await expect.poll(before.said).toBe("a");
  const hole = proxy.hold(() => true);
  expect(hole.count).toBe(1);
  const meanwhile = await newClient();
  before.socket.write("b");
  meanwhile.socket.write("c");
  await sleep(200);
  expect([before.said(), meanwhile.said()]).toEqual(["a", ""]);
  hole.release();
  await expect.poll(() => [before.said(), meanwhile.said()]).toEqual(["ab", "c"]);
});

it("what a client had sent into a black hole comes late, though the client has gone", async () => {
  const { socket } = await newClient();
  socket.write("a");
  await expect.poll(heard).toBe("a");
  const hole = proxy.hold(() => true);
  socket.end("commit");
  await sleep(200);
  expect(heard()).toBe("a");
  hole.release();
  await expect.poll(heard).toBe("acommitend");
});

it("a slow network delays each way, and keeps the order", async () => {
  const { socket, said } = await newClient();
  proxy.delay(150);
  const began = performance.now();
  socket.write("a");
  await sleep(20);
  socket.write("b");
  await expect.poll(said, { interval: 5 }).toBe("ab");
  expect(performance.now() - began).toBeGreaterThanOrEqual(310);
});

it("a reset breaks the connections that are chosen", async () => {
  const [one, other] = [await newClient(), await newClient()];
  for (const { socket } of [one, other]) socket.write("a");
  await expect.poll(heard).toBe("aa");
  let turn = 0;
  expect(proxy.reset(() => turn++ === 0)).toBe(1);
  await expect.poll(one.said).toBe("aECONNRESET");
  other.socket.write("b");
  await expect.poll(other.said).toBe("ab");
});

it("a listener cuts a connection at the word that it waits for", async () => {
  await proxy.close();
  proxy = await startTcpProxy((server.address() as AddressInfo).port, () => ({
    fromClient: (bytes) => ({ bytes: bytes.subarray(0, 1), cut: bytes.includes("commit") }),
    fromServer: (bytes) => ({ bytes, cut: false }),
  }));
  const { socket } = await newClient();
  const closed = once(socket, "close");
  socket.write("commit");
  await closed;
  await expect.poll(heard).toMatch(/^c(end|error)$/);
});
