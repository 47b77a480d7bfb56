/** A call costs more than copying a few bytes. */
const FEW = 200;

/** Copies bytes [from, to) of the source to a place in the target. */
export function copy(source: Uint8Array, from: number, to: number, target: Uint8Array, at: number): void {
  if (to - from > FEW) {
    target.set(source.subarray(from, to), at);
    return;
  }
  for (let place = at; from < to; from++, place++) target[place] = source[from] as number;
}
