/** Quantities of Kubernetes as exact numbers: what the API server stores is another text of the same, or of one rounded up. */

/** Billionths: the API server keeps no finer ones, and rounds away from zero. */
const NANO_DIGITS = 9;
const MILLI = 1_000_000n;
/** It keeps no larger number than 2^63 - 1. */
const LARGEST = (2n ** 63n - 1n) * 10n ** 9n;

const DECIMAL_EXPONENTS: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  "": 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
const BINARY_EXPONENTS: Readonly<Record<string, bigint>> = {
  Ki: 10n,
  Mi: 20n,
  Gi: 30n,
  Ti: 40n,
  Pi: 50n,
  Ei: 60n,
};

const QUANTITY = /^([+-]?)([0-9]*)\.?([0-9]*)(?:[eE]([+-]?[0-9]{1,3})|([numkMGTPE]|[KMGTPE]i))?$/;

/** @returns billionths as the API server keeps them; undefined for what is no quantity */
export function nanosOf(value: unknown): bigint | undefined {
  if (typeof value !== "string" && typeof value !== "number") return undefined;
  const match = QUANTITY.exec(String(value));
  if (match === null) return undefined;
  const [, sign = "", whole = "", fraction = "", exponent = "0", suffix = ""] = match;
  if (whole === "" && fraction === "") return undefined;
  const binary = BINARY_EXPONENTS[suffix];
  const power = Number(exponent) + (binary === undefined ? (DECIMAL_EXPONENTS[suffix] ?? 0) : 0);
  const digits = BigInt(`${whole}${fraction}`) * 2n ** (binary ?? 0n);
  const shift = NANO_DIGITS + power - fraction.length;
  const nanos =
    shift >= 0 ? digits * 10n ** BigInt(shift) : roundedUp(digits, 10n ** BigInt(-shift)) / 10n ** BigInt(-shift);
  const kept = nanos > LARGEST ? LARGEST : nanos;
  return sign === "-" ? -kept : kept;
}

/** What a container's requests and limits become: they are rounded up to thousandths. */
export function milliNanosOf(nanos: bigint): bigint {
  return nanos < 0n ? -roundedUp(-nanos, MILLI) : roundedUp(nanos, MILLI);
}

/** The next multiple of `unit`. */
function roundedUp(value: bigint, unit: bigint): bigint {
  return ((value + unit - 1n) / unit) * unit;
}
