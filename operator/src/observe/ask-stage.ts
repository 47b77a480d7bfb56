/** Asks one pod for its status over HTTP, within bounds: a pod may be anybody's program, and its answer anything. */
import { HTTP_PORT } from "@caudal/crds";
import type { KubeObject } from "../kube/object.ts";

/** What a pod answered, not checked yet. */
export interface PodAnswer {
  readonly body: unknown;
  /** Its length. */
  readonly bytes: number;
}

export type AskStage = (pod: KubeObject) => Promise<PodAnswer>;

const TIMEOUT_MS = 2_000;
/** Room for some 2,000 partitions of one pod. */
export const ANSWER_BYTES = 256 * 1024;

/** GET http://<pod>:8080/status. @throws TypeError, or what fetch throws, when there is no answer within the bounds */
export const askOverHttp: AskStage = async (pod) => {
  const ip = String(pod.status?.["podIP"]);
  const host = ip.includes(":") ? `[${ip}]` : ip;
  return await askUrl(`http://${host}:${HTTP_PORT}/status`);
};

/** @throws TypeError, or what fetch throws, when there is no answer within the bounds */
export async function askUrl(url: string): Promise<PodAnswer> {
  const response = await fetch(url, {
    signal: AbortSignal.timeout(TIMEOUT_MS),
    redirect: "error",
    // Nothing that unpacks to a thousand times its length.
    headers: { "accept-encoding": "identity" },
  });
  if (!response.ok || response.headers.has("content-encoding")) {
    await response.body?.cancel();
    throw new TypeError(
      response.ok ? "the answer on /status is compressed" : `GET /status answered ${response.status}`,
    );
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    // Leaving the loop ends the connection.
    if (bytes > ANSWER_BYTES) throw new TypeError(`the answer on /status is longer than ${ANSWER_BYTES / 1024} KiB`);
    chunks.push(chunk);
  }
  return { body: JSON.parse(Buffer.concat(chunks).toString("utf8")) as unknown, bytes };
}
