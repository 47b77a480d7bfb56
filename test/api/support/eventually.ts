import { setTimeout as sleep } from "node:timers/promises";

/** Asks until the answer is true; fails with what was expected and, where asked throws, its last error. */
export async function eventually(
  expected: string,
  ask: () => Promise<boolean> | boolean,
  seconds = 120,
): Promise<void> {
  const end = performance.now() + seconds * 1000;
  let last: string;
  for (;;) {
    try {
      if (await ask()) return;
      last = "";
    } catch (error) {
      last = `: ${error instanceof Error ? error.message : String(error)}`;
    }
    if (performance.now() > end) throw new TypeError(`not within ${seconds} s: ${expected}${last}`);
    await sleep(100);
  }
}
