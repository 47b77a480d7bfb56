import type { WorkHealth } from "../runtime/health.ts";

const EVERY_MS = 5_000;

/** Shows that the process lives while something goes on that has bounds of its own. */
export async function beating<T>(health: Pick<WorkHealth, "beat">, work: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => health.beat(), EVERY_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
