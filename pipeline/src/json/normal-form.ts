/** JSON with one meaning: each key once, with its last value. Only for text that is known to be JSON. */

const SPACES = new Set([" ", "\n", "\r", "\t"]);
const WORD = /[-+.0-9A-Za-z]*/y;

/**
 * A value without space between its tokens, with the last of the values that a key has several times, and with texts
 * escaped only where they have to be. Digits of numbers stay as they were written.
 */
export function normalForm(json: string): string {
  return new Writer(json).value();
}

class Writer {
  readonly #json: string;
  #at = 0;

  constructor(json: string) {
    this.#json = json;
  }

  value(): string {
    this.#skipSpace();
    switch (this.#json[this.#at]) {
      case "{":
        return this.#object();
      case "[":
        return this.#list();
      case '"':
        return this.#text();
      default:
        return this.#word();
    }
  }

  #object(): string {
    const members = new Map<string, string>();
    this.#at++;
    while (!this.#ends("}")) {
      const key = this.#text();
      this.#skipSpace();
      this.#at++; // the colon
      members.set(key, this.value());
    }
    return `{${[...members].map(([key, value]) => `${key}:${value}`).join(",")}}`;
  }

  #list(): string {
    const elements: string[] = [];
    this.#at++;
    while (!this.#ends("]")) elements.push(this.value());
    return `[${elements.join(",")}]`;
  }

  /** Skips what is between two members. @returns whether there are no more, with the place behind the end */
  #ends(close: string): boolean {
    this.#skipSpace();
    if (this.#json[this.#at] === ",") {
      this.#at++;
      this.#skipSpace();
    }
    const ends = this.#json[this.#at] === close;
    if (ends) this.#at++;
    return ends;
  }

  #text(): string {
    const from = this.#at;
    let isEscaped = false;
    for (this.#at++; this.#json[this.#at] !== '"'; this.#at++)
      if (this.#json[this.#at] === "\\") {
        isEscaped = true;
        this.#at++;
      }
    const text = this.#json.slice(from, ++this.#at);
    return isEscaped ? JSON.stringify(JSON.parse(text)) : text;
  }

  /** A number, true, false or null. */
  #word(): string {
    WORD.lastIndex = this.#at;
    const [word = ""] = WORD.exec(this.#json) ?? [];
    this.#at += word.length;
    return word;
  }

  #skipSpace(): void {
    while (SPACES.has(this.#json[this.#at] ?? "")) this.#at++;
  }
}
