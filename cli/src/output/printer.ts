/** Where results go as they come: in the format that is set, with the number of their rows, through a pager where they are long. */
import { expandedText } from "./expanded.ts";
import { type Format, format, formatMore, widthsOf } from "./format.ts";
import type { Result } from "./result.ts";
import type { Settings } from "./settings.ts";
import { width } from "./width.ts";

/** The terminal that results go to. */
export interface Terminal {
  /** In lines and columns of text. */
  size(): { readonly rows: number; readonly columns: number };
  /** Shows a text through the pager, until the person has left it. @returns whether there is one */
  page(text: string): Promise<boolean>;
}

/** A result whose rows come in parts. */
export interface Stream {
  /** The first part makes the head. */
  add(part: Result): void;
  /** Tells the number of rows. */
  end(): void;
}

export class Printer {
  readonly settings: Settings;
  readonly #write: (text: string) => void;
  readonly #say: (text: string) => void;
  readonly #terminal: Terminal | undefined;

  /**
   * @param write what was asked for
   * @param say what there is to say about it
   * @param terminal that is written to, where it is one
   */
  constructor(how: Format, write: (text: string) => void, say: (text: string) => void, terminal?: Terminal) {
    this.settings = { format: how, expanded: "off", pager: "on", null: "NULL" };
    this.#write = write;
    this.#say = say;
    this.#terminal = terminal;
  }

  /** Resolves when it has been shown: a pager takes as long as the person reads. */
  async result(result: Result): Promise<void> {
    const expanded = this.#isExpanded(result);
    const { format: how, null: nulls } = this.settings;
    await this.#show(`${format(result, how, { nulls, expanded })}${this.#count(result.rows.length)}`);
  }

  stream(): Stream {
    const { format: how, null: nulls } = this.settings;
    let widths: readonly number[] | undefined;
    let expanded = false;
    let rows = 0;
    return {
      add: (part) => {
        if (widths === undefined) expanded = this.#isExpanded(part);
        if (expanded) this.#write(expandedText(part, nulls, rows + 1));
        else if (widths === undefined) this.#write(format(part, how, { nulls }));
        else this.#write(formatMore(part, how, widths, nulls));
        widths ??= widthsOf(part, nulls);
        rows += part.rows.length;
      },
      end: () => {
        if (widths !== undefined) this.#write(this.#count(rows));
      },
    };
  }

  text(text: string): void {
    this.#write(`${text}\n`);
  }

  /** A text that may be longer than the screen. */
  async long(text: string): Promise<void> {
    await this.#show(`${text}\n`);
  }

  note(text: string): void {
    this.#say(`${text}\n`);
  }

  #isExpanded(result: Result): boolean {
    const { format: how, expanded, null: nulls } = this.settings;
    if (how !== "table" || expanded === "off") return false;
    if (expanded === "on") return true;
    const columns = this.#terminal?.size().columns;
    return columns !== undefined && linesOf(format(result, how, { nulls })).some((line) => width(line) > columns);
  }

  /** Programs count for themselves. */
  #count(rows: number): string {
    return this.settings.format === "table" ? `(${rows} ${rows === 1 ? "row" : "rows"})\n` : "";
  }

  async #show(text: string): Promise<void> {
    const { pager } = this.settings;
    const terminal = this.#terminal;
    if (terminal !== undefined && pager !== "off" && (pager === "always" || isLonger(text, terminal.size())))
      if (await terminal.page(text)) return;
    this.#write(text);
  }
}

/** Whether the last line, with the prompt below it, would push out the first. Lines that are too wide are folded. */
function isLonger(text: string, { rows, columns }: ReturnType<Terminal["size"]>): boolean {
  let left = rows - 1;
  return linesOf(text).some((line) => (left -= Math.max(1, Math.ceil(width(line) / columns))) < 0);
}

function linesOf(text: string): string[] {
  return text.trimEnd().split("\n");
}
