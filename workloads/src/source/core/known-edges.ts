/**
 * Which tables belong to a table, in a form short enough for a source's place: three or four characters each.
 *
 *   Edges = base64 of Edge…, in the order of the oids
 *   Edge  = oid less the one before (LEB128)  lowest byte of the transaction that made it belong there
 *
 * The byte tells a table that has left and come back from one that has stayed.
 */

/** A table that belongs to another, and the transaction that made it so. */
export interface Edge {
  readonly oid: number;
  readonly since: number;
}

export function writeEdges(edges: readonly Edge[]): string {
  const bytes: number[] = [];
  let before = 0;
  for (const { oid, since } of [...edges].sort((a, b) => a.oid - b.oid)) {
    let step = oid - before;
    for (; step > 127; step = Math.floor(step / 128)) bytes.push((step % 128) + 128);
    bytes.push(step, since % 256);
    before = oid;
  }
  return Buffer.from(bytes).toString("base64");
}

/** @returns by oid, the byte of its transaction */
export function readEdges(text: string): Map<number, number> {
  const edges = new Map<number, number>();
  let [oid, step, weight] = [0, 0, 1];
  let ended = false;
  for (const byte of Buffer.from(text, "base64")) {
    if (ended) {
      edges.set(oid, byte);
      [step, weight, ended] = [0, 1, false];
      continue;
    }
    step += (byte % 128) * weight;
    weight *= 128;
    if (byte < 128) {
      oid += step;
      ended = true;
    }
  }
  return edges;
}

/** What has become of the tables that were known. */
export interface EdgeChanges {
  readonly came: readonly number[];
  readonly left: readonly number[];
}

export function compareEdges(known: ReadonlyMap<number, number>, now: readonly Edge[]): EdgeChanges {
  const same = new Set(now.filter(({ oid, since }) => known.get(oid) === since % 256).map(({ oid }) => oid));
  return {
    came: now.flatMap(({ oid }) => (same.has(oid) ? [] : [oid])),
    left: [...known.keys()].filter((oid) => !same.has(oid)),
  };
}
