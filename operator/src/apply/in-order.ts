/** Writes the objects of a plan, some at once: what pods need is there before the Deployments that start them. */
import type { KubeObject } from "../kube/object.ts";

/** Requests of one reconcile that are open at once. */
const AT_ONCE = 4;

/**
 * @param apply writes one object; where it throws, no further one is begun
 * @returns what it gave, in the order of the objects
 */
export async function applyInOrder<T>(
  objects: readonly KubeObject[],
  apply: (object: KubeObject) => Promise<T>,
): Promise<T[]> {
  const results = new Map<KubeObject, T>();
  const starting = objects.filter(({ kind }) => kind === "Deployment");
  const needed = objects.filter(({ kind }) => kind !== "Deployment");
  for (const wave of [needed, starting]) {
    const rest = [...wave];
    const failures: unknown[] = [];
    const write = async () => {
      for (let object = rest.shift(); object !== undefined && failures.length === 0; object = rest.shift())
        try {
          results.set(object, await apply(object));
        } catch (error) {
          failures.push(error);
        }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, write));
    if (failures.length > 0) throw failures[0];
  }
  return objects.flatMap((object) => results.get(object) ?? []);
}
