/** Commands of the prompt that begin with a backslash, as psql has them. Pure. */
import { StatementFailed } from "../errors.ts";
import { FORMATS, type Format } from "../output/format.ts";
import { EXPANDED, type Expanded, PAGERS, type Pager } from "../output/settings.ts";
import type { Shown } from "./statement.ts";

export type Meta =
  /** All there is; only names that fit the pattern, in which * and ? stand for any characters. */
  | { readonly kind: "list"; readonly pattern: string | undefined }
  | { readonly kind: "show"; readonly what: Shown }
  | { readonly kind: "describe"; readonly name: string; readonly at: number }
  /** Without a value it is turned over. */
  | { readonly kind: "expanded"; readonly value: Expanded | undefined }
  | { readonly kind: "format"; readonly value: Format }
  | { readonly kind: "pager"; readonly value: Pager | undefined }
  | { readonly kind: "null"; readonly value: string }
  | { readonly kind: "settings" }
  | { readonly kind: "help" }
  | { readonly kind: "quit" };

/** The commands and what they do, for people. */
export const META_HELP: readonly (readonly [form: string, does: string])[] = [
  ["\\d [PATTERN]", "list topics, tables, streams and connectors; * and ? stand for any characters"],
  ["\\d NAME", "describe one of them"],
  ["\\dt  \\l", "list tables; list pipelines"],
  ["\\x [on|off|auto]", "expanded output: a line for each value; auto where a row is wider than the screen"],
  ["\\g  \\gx", "end a statement, as ; does; with its result expanded"],
  ["\\o table|json|csv", "how results look"],
  ["\\pset pager on|off|always", "results longer than the screen go through $PSQL_PAGER, $PAGER, or less"],
  ["\\pset null TEXT", "what stands for NULL"],
  ["\\pset", "how output is set; \\pset expanded and \\pset format are \\x and \\o"],
  ["\\r  \\?  \\q", "forget what was typed; this help; quit (or Ctrl-D)"],
];

/** The forms that `\?` lists, for a command that there is none of. */
const KNOWN = ["\\d", "\\dt", "\\l", "\\x", "\\g", "\\gx", "\\o", "\\pset", "\\r", "\\?", "\\q"];

/** @param text from its backslash on @throws StatementFailed that says what to write, with the place */
export function parseMeta(text: string): Meta {
  const [, command = "", rest = ""] = /^\\([^\s"']*)\s*([^]*)$/.exec(text) ?? [];
  const argument = rest.trim();
  const at = text.length - rest.length;
  const none = <T extends Meta>(meta: T): T => {
    if (argument !== "") throw new StatementFailed(`\\${command} takes nothing behind it`, { at });
    return meta;
  };
  switch (command) {
    case "d":
    case "d+":
      if (argument === "" || /[*?]/.test(argument)) return { kind: "list", pattern: argument || undefined };
      return { kind: "describe", name: argument, at };
    case "dt":
    case "dt+":
      return none({ kind: "show", what: "TABLES" });
    case "l":
    case "l+":
      return none({ kind: "show", what: "PIPELINES" });
    case "x":
      return { kind: "expanded", value: readExpanded(argument, at, "\\x") };
    case "o":
      return { kind: "format", value: oneOf(FORMATS, argument, at, "\\o") };
    case "pset":
      return readSetting(argument, at);
    case "?":
    case "h":
      return { kind: "help" };
    case "q":
      return none({ kind: "quit" });
    default:
      throw new StatementFailed(`there is no \\${command}: there are ${KNOWN.join(" ")}, and \\? says what they do`, {
        at: 0,
      });
  }
}

const SETTINGS = ["pager", "expanded", "format", "null"] as const;

function readSetting(argument: string, at: number): Meta {
  if (argument === "") return { kind: "settings" };
  const [, name = "", space = "", rest = ""] = /^(\S+)(\s*)([^]*)$/.exec(argument) ?? [];
  const place = at + name.length + space.length;
  switch (oneOf(SETTINGS, name, at, "\\pset")) {
    case "pager":
      return { kind: "pager", value: rest === "" ? undefined : oneOf(PAGERS, rest, place, "\\pset pager") };
    case "expanded":
      return { kind: "expanded", value: readExpanded(rest, place, "\\pset expanded") };
    case "format":
      return { kind: "format", value: oneOf(FORMATS, rest, place, "\\pset format") };
    case "null":
      return { kind: "null", value: unquoted(rest) };
  }
}

function readExpanded(text: string, at: number, command: string): Expanded | undefined {
  return text === "" ? undefined : oneOf(EXPANDED, text, at, command);
}

/** @throws StatementFailed for what is none of these */
function oneOf<T extends string>(words: readonly T[], text: string, at: number, command: string): T {
  const known = words.find((word) => word === text.toLowerCase());
  if (known === undefined)
    throw new StatementFailed(
      `${text === "" ? `${command} takes` : `${text} has no meaning here: ${command} takes`} one of ${words.join(", ")}`,
      { at },
    );
  return known;
}

/** 'text' without its quotes. */
function unquoted(text: string): string {
  return /^'[^]*'$/.test(text) ? text.slice(1, -1).replaceAll("''", "'") : text;
}
