import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { afterEach, expect, test } from "vitest";
import { ANSWER_BYTES, askUrl } from "./ask-stage.ts";

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function answering(listener: RequestListener): Promise<string> {
  const made = createServer(listener);
  server = made;
  await new Promise<void>((resolve) => made.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(made.address() as AddressInfo).port}/status`;
}

test("an answer is read with its length", async () => {
  const url = await answering((_request, response) => response.end('{"state":"Running"}'));
  expect(await askUrl(url)).toEqual({ body: { state: "Running" }, bytes: 19 });
});

test("an answer without an end is left at the limit, and its connection is ended", async () => {
  let sent = 0;
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const url = await answering((_request, response) => {
    const piece = Buffer.alloc(64 * 1024, " ");
    const write = () => {
      while (!response.destroyed && response.write(piece)) sent += piece.length;
    };
    response.on("drain", write).on("close", resolve);
    write();
  });
  await expect(askUrl(url)).rejects.toThrow("longer than 256 KiB");
  await closed;
  // What the sockets' buffers took, and not what two seconds of sending would be.
  expect(sent).toBeLessThan(ANSWER_BYTES + 32 * 1024 * 1024);
});

const refused: [string, RequestListener, RegExp][] = [
  ["no answer", () => undefined, /timeout|aborted/],
  ["half an answer", (_request, response) => response.write('{"state"'), /timeout|aborted/],
  ["another status", (_request, response) => response.writeHead(500).end("{}"), /answered 500/],
  [
    "a redirect",
    (_request, response) => response.writeHead(302, { location: "http://127.0.0.1:1/" }).end(),
    /fetch failed/,
  ],
  ["no JSON", (_request, response) => response.end("<html>"), /JSON/],
  [
    "an answer that unpacks to more",
    (_request, response) =>
      response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(Buffer.alloc(64 * 1024 * 1024))),
    /compressed/,
  ],
];
test.each(refused)("%s is an error", async (_what, listener, words) => {
  await expect(askUrl(await answering(listener))).rejects.toThrow(words);
});
