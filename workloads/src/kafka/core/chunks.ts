/**
 * Runs of items, in order, of at most `mostBytes` together; an item that is larger by itself is a run of its own.
 *
 * @param sizeOf bytes that an item takes, at most
 * @param mostItems of one run
 */
export function* chunksOf<T>(
  items: readonly T[],
  sizeOf: (item: T) => number,
  mostBytes: number,
  mostItems = Infinity,
): Generator<T[]> {
  let chunk: T[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = sizeOf(item);
    if (chunk.length > 0 && (bytes + size > mostBytes || chunk.length >= mostItems)) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(item);
    bytes += size;
  }
  if (chunk.length > 0) yield chunk;
}
