/** JSON as bytes: where things end. What is not certain is {@link NOT_SURE}, never a guess. */
import { beginObject, isNewKey } from "./keys";
import { isUtf8 } from "./utf8";

export const NOT_SURE: u32 = 0;

export const QUOTE: u32 = 0x22;
export const COMMA: u32 = 0x2c;
export const MINUS: u32 = 0x2d;
export const POINT: u32 = 0x2e;
export const COLON: u32 = 0x3a;
export const OPEN: u32 = 0x7b;
export const CLOSE: u32 = 0x7d;
const ZERO: u32 = 0x30;
/** A strict reader has limits of its own. */
const MAX_DEPTH: u32 = 64;

export function byteAt(at: u32): u32 {
  return load<u8>(at);
}

/** The digit at a place, more than 9 where there is none. */
export function digitAt(at: u32): u32 {
  return <u32>load<u8>(at) - ZERO;
}

/** Where space, tabs and line breaks end. */
export function endOfSpace(from: u32): u32 {
  let at = from;
  for (let byte = byteAt(at); byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09; byte = byteAt(++at));
  return at;
}

/** Whether a number may end before the byte: no point, no exponent, no letter. */
export function endsNumber(byte: u32): bool {
  return byte == COMMA || byte == CLOSE || byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09;
}

/**
 * Where the string ends that begins after a quote: at its closing quote. NOT_SURE for one with escapes, control characters
 * or bytes that are not UTF-8. The buffer must have 16 readable bytes behind its end and a byte there that ends a string.
 */
export function endOfText(from: u32): u32 {
  let at = from;
  let high: u32 = 0;
  while (true) {
    const bytes = v128.load(at);
    // As signed bytes, those of 0x80 and more are negative: less than a space too, and looked at apart.
    const stops = i8x16.bitmask(
      v128.or(
        v128.or(i8x16.eq(bytes, i8x16.splat(0x22)), i8x16.eq(bytes, i8x16.splat(0x5c))),
        i8x16.lt_u(bytes, i8x16.splat(0x20)),
      ),
    );
    const beyond = i8x16.bitmask(bytes);
    if (stops != 0) {
      const length = <u32>ctz(stops);
      high |= beyond & ((1 << length) - 1);
      at += length;
      break;
    }
    high |= beyond;
    at += 16;
  }
  if (byteAt(at) != QUOTE) return NOT_SURE;
  return high == 0 || isUtf8(from, at) ? at : NOT_SURE;
}

/** Whether the 36 bytes are a UUID in lower case. */
export function isUuid(from: u32): bool {
  // Bytes 0 to 15, 16 to 31 and 20 to 35; dashes are at 8, 13, 18 and 23.
  return (
    hexBits(from) == 0xdeff &&
    hexBits(from + 16) == 0xff7b &&
    hexBits(from + 20) == 0xfff7 &&
    byteAt(from + 8) == MINUS &&
    byteAt(from + 13) == MINUS &&
    byteAt(from + 18) == MINUS &&
    byteAt(from + 23) == MINUS
  );
}

/** One bit a byte: whether it is a digit of lower-case hexadecimal. */
function hexBits(at: u32): u32 {
  const bytes = v128.load(at);
  const digits = v128.and(i8x16.ge_s(bytes, i8x16.splat(0x30)), i8x16.le_s(bytes, i8x16.splat(0x39)));
  const letters = v128.and(i8x16.ge_s(bytes, i8x16.splat(0x61)), i8x16.le_s(bytes, i8x16.splat(0x66)));
  return i8x16.bitmask(v128.or(digits, letters));
}

/** Whether four bytes are a word such as `null`, given as one little-endian number. */
export function isWord(at: u32, word: u32): bool {
  return load<u32>(at) == word;
}

export const NULL_WORD: u32 = 0x6c6c756e;
export const TRUE_WORD: u32 = 0x65757274;
/** `fals`: an e follows. */
export const FALSE_WORD: u32 = 0x736c6166;

/** What is asked of a value beside that it is JSON. */
let keysOnce: bool = false;
let compact: bool = false;

/**
 * Where a value of any kind ends: behind its last byte.
 *
 * @param once whether no object in it may have a key twice
 * @param withoutSpace whether there may be no space between its tokens
 */
export function endOfValue(at: u32, once: bool, withoutSpace: bool): u32 {
  keysOnce = once;
  compact = withoutSpace;
  return endOf(at, 0);
}

function endOf(at: u32, depth: u32): u32 {
  const byte = byteAt(at);
  if (byte == QUOTE) return behindText(at);
  if (byte == OPEN) return endOfObject(at + 1, depth);
  if (byte == 0x5b) return endOfList(at + 1, depth);
  if (isWord(at, NULL_WORD) || isWord(at, TRUE_WORD)) return at + 4;
  if (isWord(at, FALSE_WORD)) return byteAt(at + 4) == 0x65 ? at + 5 : NOT_SURE;
  return endOfNumber(at);
}

/** @param at at the opening quote @returns behind the closing one */
function behindText(at: u32): u32 {
  const end = endOfText(at + 1);
  return end == NOT_SURE ? NOT_SURE : end + 1;
}

function endOfNumber(start: u32): u32 {
  let at = start;
  if (byteAt(at) == MINUS) at++;
  const first = at;
  while (digitAt(at) <= 9) at++;
  if (at == first || (digitAt(first) == 0 && at - first > 1)) return NOT_SURE;
  if (byteAt(at) == POINT) {
    const fraction = ++at;
    while (digitAt(at) <= 9) at++;
    if (at == fraction) return NOT_SURE;
  }
  if ((byteAt(at) | 0x20) == 0x65) {
    const sign = byteAt(++at);
    if (sign == 0x2b || sign == MINUS) at++;
    const power = at;
    while (digitAt(at) <= 9) at++;
    if (at == power) return NOT_SURE;
  }
  return at;
}

/** Where space ends; NOT_SURE where there is some and may be none. */
function endOfGap(from: u32): u32 {
  const end = endOfSpace(from);
  return compact && end != from ? NOT_SURE : end;
}

/** @param start behind the opening bracket @returns behind the closing one */
function endOfObject(start: u32, depth: u32): u32 {
  if (depth >= MAX_DEPTH) return NOT_SURE;
  let at = endOfGap(start);
  if (byteAt(at) == CLOSE) return at + 1;
  const object = keysOnce ? beginObject() : 0;
  while (at != NOT_SURE) {
    if (byteAt(at) != QUOTE) return NOT_SURE;
    const key = at + 1;
    const keyEnd = endOfText(key);
    if (keyEnd == NOT_SURE || (keysOnce && !isNewKey(object, key, keyEnd))) return NOT_SURE;
    at = endOfGap(keyEnd + 1);
    if (at == NOT_SURE || byteAt(at) != COLON) return NOT_SURE;
    at = endOfGap(at + 1);
    if (at == NOT_SURE) return NOT_SURE;
    at = endOf(at, depth + 1);
    if (at == NOT_SURE) return NOT_SURE;
    at = endOfGap(at);
    if (at == NOT_SURE) return NOT_SURE;
    const byte = byteAt(at);
    if (byte == CLOSE) return at + 1;
    if (byte != COMMA) return NOT_SURE;
    at = endOfGap(at + 1);
  }
  return NOT_SURE;
}

/** @param start behind the opening bracket @returns behind the closing one */
function endOfList(start: u32, depth: u32): u32 {
  if (depth >= MAX_DEPTH) return NOT_SURE;
  let at = endOfGap(start);
  if (byteAt(at) == 0x5d) return at + 1;
  while (at != NOT_SURE) {
    at = endOf(at, depth + 1);
    if (at == NOT_SURE) return NOT_SURE;
    at = endOfGap(at);
    if (at == NOT_SURE) return NOT_SURE;
    const byte = byteAt(at);
    if (byte == 0x5d) return at + 1;
    if (byte != COMMA) return NOT_SURE;
    at = endOfGap(at + 1);
  }
  return NOT_SURE;
}
