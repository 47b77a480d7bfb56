/** The prompt: lines in, statements out, Ctrl-C for the statement and not for the prompt. */
import { createInterface, type Interface } from "node:readline";
import { CliError } from "../errors.ts";
import type { Printer } from "../output/printer.ts";
import type { Catalog } from "./catalog.ts";
import { complete } from "./completion.ts";
import { historyFile, MAX_HISTORY, readHistory, writeHistory } from "./history.ts";
import { type Piece, splitScript } from "./script.ts";
import type { Session } from "./session.ts";

const PROMPT = "caudal> ";
const CONTINUED = "   ...> ";

export class Prompt {
  readonly #session: Session;
  readonly #printer: Printer;
  readonly #lines: Interface;
  readonly #file: string;
  #catalog: Catalog | undefined;
  /** Lines of a statement that has not ended. */
  #open = "";
  #running: AbortController | undefined;

  private constructor(session: Session, printer: Printer, history: string[], file: string) {
    this.#session = session;
    this.#printer = printer;
    this.#file = file;
    this.#lines = createInterface({
      input: process.stdin,
      output: process.stdout,
      prompt: PROMPT,
      history,
      historySize: MAX_HISTORY,
      removeHistoryDuplicates: true,
      completer: (line: string) => complete(`${this.#open}${line}`, this.#catalog),
    });
  }

  static async open(session: Session, printer: Printer): Promise<Prompt> {
    const file = historyFile(process.env);
    return new Prompt(session, printer, await readHistory(file), file);
  }

  /** Until \q or the end of the input. */
  async run(): Promise<void> {
    let history: readonly string[] = [];
    this.#lines.on("history", (lines) => (history = [...lines]));
    this.#lines.on("SIGINT", () => this.#interrupt());
    void this.#refresh();
    this.#lines.prompt();
    for await (const line of this.#lines) {
      if (!(await this.#take(line))) break;
      this.#lines.setPrompt(this.#open === "" ? PROMPT : CONTINUED);
      this.#lines.prompt();
    }
    this.#lines.close();
    const problem = history.length === 0 ? undefined : await writeHistory(this.#file, history);
    if (problem !== undefined) this.#printer.note(problem);
  }

  /** @returns whether the prompt goes on */
  async #take(line: string): Promise<boolean> {
    // Words that a statement may not begin with.
    const word = this.#open === "" ? /^\s*(help|exit|quit)\s*;?\s*$/i.exec(line)?.[1]?.toLowerCase() : undefined;
    const { pieces, rest } = splitScript(
      word === undefined ? `${this.#open}${line}\n` : word === "help" ? "\\?" : "\\q",
    );
    this.#open = rest.text === "" ? "" : `${rest.text}\n`;
    for (const piece of pieces) if (!(await this.#execute(piece))) return false;
    return true;
  }

  async #execute(piece: Piece): Promise<boolean> {
    this.#running = new AbortController();
    try {
      return await this.#session.execute(piece, this.#running.signal);
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      this.#printer.note(error.message);
      return true;
    } finally {
      this.#running = undefined;
      if (/^\s*(create|drop)\b/i.test(piece.text)) await this.#refresh();
    }
  }

  /** Names for completion: without them there are fewer candidates. */
  async #refresh(): Promise<void> {
    try {
      this.#catalog = await this.#session.catalog();
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
    }
  }

  #interrupt(): void {
    if (this.#running !== undefined) return this.#running.abort();
    this.#open = "";
    this.#printer.text("");
    this.#lines.setPrompt(PROMPT);
    // What was typed so far is not meant.
    this.#lines.write(null, { ctrl: true, name: "e" });
    this.#lines.write(null, { ctrl: true, name: "u" });
    this.#lines.prompt();
  }
}
