import { setTimeout as sleep } from "node:timers/promises";
import { NotReadyInTime } from "./errors.ts";

export interface PollOptions {
  readonly seconds: number;
  readonly everyMs?: number;
  /** Said when the time is over: what did not happen and where to look. */
  readonly onTimeout: () => string | Promise<string>;
}

/** Asks until the answer is not undefined. */
export async function poll<T>(ask: () => Promise<T | undefined>, options: PollOptions): Promise<T> {
  const end = performance.now() + options.seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > end) throw new NotReadyInTime(await options.onTimeout());
    await sleep(options.everyMs ?? 200);
  }
}
