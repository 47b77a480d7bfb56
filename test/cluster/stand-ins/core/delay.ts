/**
 * What is looked at only some time after it was made or changed, as real operators do that come by on their own clock:
 * an annotation of a Kafka or Cluster says after how many seconds.
 */
import type { KubeObject } from "./objects.ts";

export const delayAnnotation = "caudal.dev/stand-in-delay-seconds";

/** Milliseconds by which the stand-in is late for what belongs to an object. */
export function delayOf(parent: KubeObject): number {
  const seconds = Number(parent.metadata.annotations?.[delayAnnotation] ?? 0);
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : 0;
}

/** Since when each object waits. */
export class Waiting {
  readonly #since = new Map<string, { readonly generation: number | undefined; readonly at: number }>();

  /**
   * How many milliseconds an object has still to wait; 0 for what has been looked at as it is.
   *
   * @param now monotonic milliseconds
   */
  left(object: KubeObject<object, { observedGeneration?: number }>, delayMs: number, now: number): number {
    const { uid = "", generation } = object.metadata;
    if (delayMs === 0 || object.status?.observedGeneration === generation) {
      this.#since.delete(uid);
      return 0;
    }
    const known = this.#since.get(uid);
    const waits = known !== undefined && known.generation === generation ? known : { generation, at: now };
    this.#since.set(uid, waits);
    return Math.max(0, waits.at + delayMs - now);
  }
}
