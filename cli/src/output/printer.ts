/** Where results go as they come. */
import { type Format, format, formatMore, widthsOf } from "./format.ts";
import type { Result } from "./result.ts";

export class Printer {
  format: Format;
  readonly #write: (text: string) => void;
  readonly #say: (text: string) => void;

  /** @param write what was asked for @param say what there is to say about it */
  constructor(how: Format, write: (text: string) => void, say: (text: string) => void) {
    this.format = how;
    this.#write = write;
    this.#say = say;
  }

  result(result: Result): void {
    this.#write(format(result, this.format));
  }

  /** A result whose rows come in parts: the first makes the head. */
  stream(): (part: Result) => void {
    let widths: readonly number[] | undefined;
    return (part) => {
      if (widths === undefined) this.#write(format(part, this.format));
      else this.#write(formatMore(part, this.format, widths));
      widths ??= widthsOf(part);
    };
  }

  text(text: string): void {
    this.#write(`${text}\n`);
  }

  note(text: string): void {
    this.#say(`${text}\n`);
  }
}
