/**
 * Division as PostgreSQL's numeric does it, so that an average has the same digits.
 *
 * Source: PostgreSQL, select_div_scale in numeric.c: digits are kept in base 10,000, the quotient has at least 16
 * significant decimal digits and never fewer after the point than its operands, and is rounded half away from zero.
 */

const BASE_DIGITS = 4;
const SIGNIFICANT_DIGITS = 16;

/**
 * @param sum digits without the point
 * @param scale how many of them are after it
 * @param count above 0
 */
export function divide(sum: bigint, scale: number, count: bigint): number {
  const digits = quotientScale(sum < 0n ? -sum : sum, scale, count);
  // round(sum / 10^scale / count * 10^digits)
  const numerator = (sum < 0n ? -sum : sum) * 10n ** BigInt(digits) * 2n;
  const denominator = count * 10n ** BigInt(scale);
  const rounded = (numerator + denominator) / (2n * denominator);
  return Number(`${sum < 0n ? "-" : ""}${rounded}e-${digits}`);
}

/** Digits after the point of the quotient. */
function quotientScale(sum: bigint, scale: number, count: bigint): number {
  const [a, b] = [leading(sum, scale), leading(count, 0)];
  const weight = a.weight - b.weight - (a.first <= b.first ? 1 : 0);
  return Math.max(SIGNIFICANT_DIGITS - weight * BASE_DIGITS, scale, 0);
}

/** The first digit in base 10,000 that is not 0, and the power of the base that it stands for. */
function leading(value: bigint, scale: number): { readonly weight: number; readonly first: number } {
  if (value === 0n) return { weight: 0, first: 0 };
  const text = String(value);
  // Decimal exponent of the first digit.
  const exponent = text.length - 1 - scale;
  const weight = Math.floor(exponent / BASE_DIGITS);
  const length = exponent - weight * BASE_DIGITS + 1;
  return { weight, first: Number(text.padEnd(length, "0").slice(0, length)) };
}
