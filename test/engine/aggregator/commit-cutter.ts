/** A proxy before PostgreSQL that cuts some connections around COMMIT, so that the client cannot know the outcome. */
import { once } from "node:events";
import { createServer, type Socket, connect } from "node:net";
import type { AddressInfo } from "node:net";

export interface CommitCutter {
  readonly port: number;
  /** Cuts so far: before COMMIT reached the server, and after the server had answered it. */
  readonly cuts: { before: number; after: number };
  close(): Promise<void>;
}

/** A simple query message with the text "commit". */
const COMMIT = Buffer.from("Q\0\0\0\x0bcommit\0", "latin1");

/** @param decide for each COMMIT: let it pass, or cut before or after it */
export async function startCommitCutter(
  serverPort: number,
  decide: () => "pass" | "before" | "after",
): Promise<CommitCutter> {
  const cuts = { before: 0, after: 0 };
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(serverPort, "127.0.0.1");
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    let cutting = false;
    client.on("data", (bytes) => {
      const at = bytes.indexOf(COMMIT);
      const verdict = at < 0 ? "pass" : decide();
      if (verdict === "before") {
        cuts.before++;
        upstream.end(bytes.subarray(0, at));
        client.destroy();
        return;
      }
      cutting ||= verdict === "after";
      upstream.write(bytes);
    });
    upstream.on("data", (bytes) => {
      // The answer of COMMIT is what the client will never see.
      if (cutting && bytes.includes("COMMIT\0")) {
        cuts.after++;
        client.destroy();
        upstream.destroy();
        return;
      }
      client.write(bytes);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    cuts,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
