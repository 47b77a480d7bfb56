/** The prompt: lines in, statements out, Ctrl-C for the statement and not for the prompt. */
import { createInterface, type Interface } from "node:readline";
import { CliError } from "../errors.ts";
import { FORMATS } from "../output/format.ts";
import type { Printer } from "../output/printer.ts";
import type { Catalog } from "./catalog.ts";
import { complete } from "./completion.ts";
import { historyFile, MAX_HISTORY, readHistory, writeHistory } from "./history.ts";
import { splitStatements } from "./lexer.ts";
import type { Session } from "./session.ts";

const PROMPT = "caudal> ";
const CONTINUED = "   ...> ";

export const PROMPT_HELP = `Statements end with ; and may have several lines.

  SHOW TOPICS;  SHOW CONNECTORS;  SHOW STREAMS;  SHOW TABLES;
  DESCRIBE name;
  PRINT topic [FROM BEGINNING] [LIMIT n];
  SELECT … FROM topic [WHERE …] EMIT CHANGES [LIMIT n];    what comes, until Ctrl-C
  SELECT … FROM topic …;                                   what is there (SQL of DuckDB)
  SELECT … FROM table …;                                   the pipeline's tables (PostgreSQL)
  CREATE STREAM name AS SELECT … FROM topic [WHERE …];     a transform and its topic, in the pipeline
  DROP STREAM name;
  SET 'auto.offset.reset' = 'earliest';                    PRINT and EMIT CHANGES begin with the first record

  \\?  this help    \\o table|json|csv  how results look    \\q  quit (or Ctrl-D)
  A topic's records also have ${"`_time`, `_partition`, `_offset`, `_key` and `_value`".replaceAll("`", "")}.
`;

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
      if (/^\s*(\\q|exit;?|quit;?)\s*$/i.test(line) && this.#open === "") break;
      await this.#take(line);
      this.#lines.setPrompt(this.#open === "" ? PROMPT : CONTINUED);
      this.#lines.prompt();
    }
    this.#lines.close();
    const problem = history.length === 0 ? undefined : await writeHistory(this.#file, history);
    if (problem !== undefined) this.#printer.note(problem);
  }

  async #take(line: string): Promise<void> {
    if (this.#open === "" && line.trimStart().startsWith("\\")) return this.#command(line.trim());
    if (this.#open === "" && /^\s*help\s*;?\s*$/i.test(line)) return this.#printer.text(PROMPT_HELP.trimEnd());
    const { statements, rest } = splitStatements(`${this.#open}${line}\n`);
    this.#open = rest === "" ? "" : `${rest}\n`;
    for (const statement of statements) await this.#execute(statement);
  }

  #command(line: string): void {
    const [name, argument] = line.split(/\s+/);
    const format = FORMATS.find((one) => one === argument);
    if (name === "\\?" || name === "\\h") this.#printer.text(PROMPT_HELP.trimEnd());
    else if (name === "\\o" && format !== undefined) this.#printer.format = format;
    else if (name === "\\o") this.#printer.note(`write \\o ${FORMATS.join(", \\o ")}`);
    else this.#printer.note(`there is no ${name ?? ""}: \\? says what there is`);
  }

  async #execute(statement: string): Promise<void> {
    this.#running = new AbortController();
    try {
      await this.#session.execute(statement, this.#running.signal);
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      this.#printer.note(error.message);
    } finally {
      this.#running = undefined;
    }
    if (/^\s*(create|drop)\b/i.test(statement)) await this.#refresh();
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
