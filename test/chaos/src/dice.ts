/** Decisions that a seed makes: the same seed and name give the same ones. */
import { Stream } from "../../../workloads/src/generator/core/stream.ts";

export class Dice {
  readonly #stream: Stream;

  /** @param name dice of other names do not depend on how often these are thrown */
  constructor(seed: number, name: string) {
    this.#stream = new Stream(seed, name).at(0);
  }

  /** Uniform in [0, 1). */
  unit(): number {
    return this.#stream.unit();
  }

  chance(probability: number): boolean {
    return this.unit() < probability;
  }

  /** A whole number from `least` to `most`, both included. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.unit() * (most - least + 1));
  }

  pick<T>(choices: readonly [T, ...T[]]): T {
    return choices[this.whole(0, choices.length - 1)] ?? choices[0];
  }

  /** @param weights by name, above 0 */
  weighted<Name extends string>(weights: Readonly<Record<Name, number>>): Name {
    const entries = Object.entries<number>(weights) as [Name, number][];
    let left = this.unit() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of entries) if ((left -= weight) < 0) return name;
    return entries.at(-1)?.[0] ?? ("" as Name);
  }

  /** Time to the next of events that come independently, with this mean. */
  gap(mean: number): number {
    return -Math.log(1 - this.unit()) * mean;
  }
}
