/** Numbers as JSON has them, without a double between. */

/**
 * `digits · 10^exponent`, with no zero at the end of the digits; 0 is `0 · 10^0`. A number of more digits than any column
 * holds is `1 · 10^Infinity`.
 */
export interface Decimal {
  readonly digits: bigint;
  readonly exponent: number;
}

const MAX_DIGITS = 60;
const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/** The exact value of a JSON number; undefined for other text. */
export function decimalOf(text: string): Decimal | undefined {
  const [all, sign = "", whole = "", fraction = "", power = "0"] = NUMBER.exec(text) ?? [];
  if (all === undefined) return undefined;
  const written = `${whole}${fraction}`;
  const significant = withoutLastZeros(written);
  if (significant.replace(/^0+/, "").length > MAX_DIGITS) return { digits: 1n, exponent: Infinity };
  const digits = BigInt(significant);
  if (digits === 0n) return { digits: 0n, exponent: 0 };
  const exponent = Number(power) - fraction.length + (written.length - significant.length);
  return { digits: sign === "-" ? -digits : digits, exponent };
}

/**
 * A number as digits without a point.
 *
 * @param scale how many of the digits are behind the point
 * @returns undefined where it has more digits than `precision`, or more than `scale` behind its point
 */
export function scaled({ digits, exponent }: Decimal, precision: number, scale: number): bigint | undefined {
  const shift = exponent + scale;
  if (shift < 0 || (digits !== 0n && shift > precision)) return undefined;
  const value = digits * 10n ** BigInt(shift);
  const bound = 10n ** BigInt(precision);
  return value > -bound && value < bound ? value : undefined;
}

function withoutLastZeros(digits: string): string {
  let end = digits.length;
  while (end > 0 && digits[end - 1] === "0") end--;
  return end === 0 ? "0" : digits.slice(0, end);
}
