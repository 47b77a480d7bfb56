import { type Call, textOption } from "../command.ts";
import { UsageError } from "../errors.ts";
import { type Format, FORMATS } from "./format.ts";

/** The format that `--output` names. @throws UsageError for any other */
export function chooseFormat(call: Call, fallback: Format = "table"): Format {
  const given = textOption(call, "output");
  if (given === undefined) return fallback;
  const known = FORMATS.find((format) => format === given);
  if (known === undefined) throw new UsageError(`--output ${given}: write one of ${FORMATS.join(", ")}`);
  return known;
}
