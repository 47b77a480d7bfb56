/** How output is set, by backslash commands. */
import type { Settings } from "../output/settings.ts";
import type { Meta } from "./meta.ts";

export type SettingMeta = Extract<Meta, { kind: "expanded" | "format" | "pager" | "null" | "settings" }>;

/** @returns what is so now, in words, a line each */
export function changeSettings(settings: Settings, meta: SettingMeta): readonly string[] {
  switch (meta.kind) {
    case "expanded":
      settings.expanded = meta.value ?? (settings.expanded === "off" ? "on" : "off");
      return [`expanded output is ${settings.expanded}`];
    case "pager":
      settings.pager = meta.value ?? (settings.pager === "off" ? "on" : "off");
      return [`the pager is ${settings.pager}`];
    case "format":
      settings.format = meta.value;
      return [`results are ${settings.format}`];
    case "null":
      settings.null = meta.value;
      return [`NULL is shown as "${settings.null}"`];
    case "settings":
      return [
        `format    ${settings.format}`,
        `expanded  ${settings.expanded}`,
        `pager     ${settings.pager}`,
        `null      ${settings.null}`,
      ];
  }
}
