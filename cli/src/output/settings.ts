/** How results are shown, as a person sets it at the prompt. */
import type { Format } from "./format.ts";

/** auto: where a row is wider than the terminal. */
export const EXPANDED = ["on", "off", "auto"] as const;
export type Expanded = (typeof EXPANDED)[number];

/** on: for what is longer than the screen; always: on a terminal, whatever its length. */
export const PAGERS = ["on", "off", "always"] as const;
export type Pager = (typeof PAGERS)[number];

export interface Settings {
  format: Format;
  expanded: Expanded;
  pager: Pager;
  /** What stands for NULL in a table. */
  null: string;
}
