/** JSON as bytes: where things end. What is not certain is {@link NOT_SURE}, never a guess. */
import { isUtf8 } from "node:buffer";

export const NOT_SURE = -1;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** A strict reader has limits of its own. */
const MAX_DEPTH = 64;
const MAX_DIGITS = 15;

/** 1 for bytes that stand for themselves inside a string: no control character, quote or backslash. */
export const PLAIN = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x20 && byte !== QUOTE && byte !== BACKSLASH ? 1 : 0,
);

const LOWER_HEX = Uint8Array.from({ length: 256 }, (_, byte) => (/[0-9a-f]/.test(String.fromCharCode(byte)) ? 1 : 0));
const DASH = 0x2d;

/** Whether the 36 bytes are a UUID in lower case. */
export function isLowerHex(bytes: Uint8Array, from: number): boolean {
  if (bytes[from + 8] !== DASH || bytes[from + 13] !== DASH || bytes[from + 18] !== DASH || bytes[from + 23] !== DASH)
    return false;
  let hex = 0;
  for (let at = from; at < from + 36; at++) hex += LOWER_HEX[bytes[at] as number] as number;
  return hex === 32;
}

/** Where space, tabs and line breaks end. */
export function endOfSpace(bytes: Uint8Array, from: number): number {
  let at = from;
  for (let byte = bytes[at]; byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09; byte = bytes[at]) at++;
  return at;
}

/** Where a value of any kind ends. */
export function endOfValue(bytes: Uint8Array, at: number, depth: number): number {
  switch (bytes[at]) {
    case QUOTE:
      return endOfString(bytes, at);
    case 0x7b:
      return endOfMembers(bytes, at, depth, 0x7d);
    case 0x5b:
      return endOfMembers(bytes, at, depth, 0x5d);
    case 0x74:
      return endOfWord(bytes, at, "true");
    case 0x66:
      return endOfWord(bytes, at, "false");
    case 0x6e:
      return endOfWord(bytes, at, "null");
    default:
      return endOfNumber(bytes, at);
  }
}

function endOfString(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  let all = 0;
  for (let byte = bytes[at] as number; PLAIN[byte] === 1; byte = bytes[++at] as number) all |= byte;
  if (bytes[at] !== QUOTE) return NOT_SURE;
  return all >= 0x80 && !isUtf8(bytes.subarray(start + 1, at)) ? NOT_SURE : at + 1;
}

function endOfWord(bytes: Uint8Array, at: number, word: string): number {
  for (let i = 0; i < word.length; i++) if (bytes[at + i] !== word.charCodeAt(i)) return NOT_SURE;
  return at + word.length;
}

function endOfNumber(bytes: Uint8Array, start: number): number {
  let at = start;
  if (bytes[at] === DASH) at++;
  const digits = at;
  while (isDigit(bytes[at])) at++;
  let count = at - digits;
  if (count === 0 || (bytes[digits] === 0x30 && count > 1)) return NOT_SURE;
  if (bytes[at] === 0x2e) {
    const fraction = ++at;
    while (isDigit(bytes[at])) at++;
    if (at === fraction) return NOT_SURE;
    count += at - fraction;
  }
  return count > MAX_DIGITS ? NOT_SURE : at;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

/** Members of an object or an array, up to its `close`. */
function endOfMembers(bytes: Uint8Array, start: number, depth: number, close: number): number {
  if (depth >= MAX_DEPTH) return NOT_SURE;
  let at = endOfSpace(bytes, start + 1);
  if (bytes[at] === close) return at + 1;
  for (;;) {
    if (close === 0x7d) {
      if (bytes[at] !== QUOTE) return NOT_SURE;
      at = endOfString(bytes, at);
      if (at === NOT_SURE) return NOT_SURE;
      at = endOfSpace(bytes, at);
      if (bytes[at] !== 0x3a) return NOT_SURE;
      at = endOfSpace(bytes, at + 1);
    }
    at = endOfValue(bytes, at, depth + 1);
    if (at === NOT_SURE) return NOT_SURE;
    at = endOfSpace(bytes, at);
    if (bytes[at] === close) return at + 1;
    if (bytes[at] !== 0x2c) return NOT_SURE;
    at = endOfSpace(bytes, at + 1);
  }
}
