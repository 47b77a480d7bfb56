/**
 * Random numbers that depend on (seed, field, event) alone: any event can be made at any time, on any replica. The
 * generator is sfc32 (128 bits of state), keyed by seed and field and set to the event's number.
 */

const ROUNDS = 12;
const TWO_32 = 0x1_0000_0000;

export class Stream {
  readonly #keyLow: number;
  readonly #keyHigh: number;
  #a = 0;
  #b = 0;
  #c = 0;
  #d = 0;

  /** @param seed whole, below 2^53  @param field its name: a field's values do not change when others come or go */
  constructor(seed: number, field: string) {
    this.#keyLow = hash(field, seed >>> 0);
    this.#keyHigh = hash(field, Math.floor(seed / TWO_32) ^ 0x5bd1e995);
  }

  /** Goes to the beginning of an event's numbers. */
  at(event: number): this {
    let a = this.#keyLow;
    let b = this.#keyHigh;
    let c = event | 0;
    let d = (Math.floor(event / TWO_32) + 1) | 0;
    // The rounds of uint32(), in local variables: this is done for every field of every event.
    for (let i = 0; i < ROUNDS; i++) {
      const sum = (((a + b) | 0) + d) | 0;
      d = (d + 1) | 0;
      a = b ^ (b >>> 9);
      b = (c + (c << 3)) | 0;
      c = (((c << 21) | (c >>> 11)) + sum) | 0;
    }
    this.#a = a;
    this.#b = b;
    this.#c = c;
    this.#d = d;
    return this;
  }

  uint32(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** Uniform in [0, 1), 53 bits. */
  unit(): number {
    return ((this.uint32() >>> 5) * 0x400_0000 + (this.uint32() >>> 6)) / 0x20_0000_0000_0000;
  }
}

/** FNV-1a over the text, finished as MurmurHash3 does. */
function hash(text: string, start: number): number {
  let value = 0x811c9dc5 ^ start;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return value ^ (value >>> 16);
}
