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
