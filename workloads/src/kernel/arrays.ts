/** Typed arrays that grow, and that are picked from. */

/** A longer copy: at least `atLeast`, and twice as long as before. */
export function grown<T extends Uint32Array | Int32Array | Float64Array>(
  array: T,
  atLeast: number,
  make: (length: number) => T,
): T {
  const longer = make(Math.max(2 * array.length, atLeast));
  longer.set(array);
  return longer;
}

/** The elements at the places of `order`, in `target`. (A loop: `from` would make a list of objects first.) */
export function picked<T extends Int32Array | Float64Array>(array: T, order: Uint32Array, target: T): T {
  for (let i = 0; i < order.length; i++) target[i] = array[order[i] as number] as number;
  return target;
}
