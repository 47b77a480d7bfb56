/** Before PostgreSQL: cuts some connections around COMMIT, so that the client cannot know the outcome. */
import { startTcpProxy, type Listener, type TcpProxy } from "../tcp-proxy.ts";

export interface CommitCutter extends TcpProxy {
  /** Cuts so far: before COMMIT reached the server, and after the server had answered it. */
  readonly cuts: { before: number; after: number };
}

/** A simple query message with the text "commit", in either case. */
const COMMITS = ["commit", "COMMIT"].map((text) => Buffer.from(`Q\0\0\0\x0b${text}\0`, "latin1"));
const NOTHING = Buffer.alloc(0);

/** @param decide for each COMMIT: let it pass, or cut before or after it */
export async function startCommitCutter(
  serverPort: number,
  decide: () => "pass" | "before" | "after",
): Promise<CommitCutter> {
  const cuts = { before: 0, after: 0 };
  const listen = (): Listener => {
    let cutting = false;
    return {
      fromClient: (bytes) => {
        const at = Math.max(...COMMITS.map((commit) => bytes.indexOf(commit)));
        const verdict = at < 0 ? "pass" : decide();
        if (verdict === "before") {
          cuts.before++;
          return { bytes: bytes.subarray(0, at), cut: true };
        }
        cutting ||= verdict === "after";
        return { bytes, cut: false };
      },
      fromServer: (bytes) => {
        // The answer of COMMIT is what the client will never see.
        if (!cutting || !bytes.includes("COMMIT\0")) return { bytes, cut: false };
        cuts.after++;
        return { bytes: NOTHING, cut: true };
      },
    };
  };
  return { ...(await startTcpProxy(serverPort, listen)), cuts };
}
