/**
 * Checks the SQL of a pipeline's stages, as a process of its own: constants of a stranger's SQL are computed while it is bound,
 * which may take any time and memory. Reads one JSON value from stdin, writes one to stdout.
 */
import { text } from "node:stream/consumers";
import { checkAll, type CheckInput } from "./check-all.ts";

const input = JSON.parse(await text(process.stdin)) as CheckInput;
process.stdout.write(JSON.stringify(await checkAll(input)));
