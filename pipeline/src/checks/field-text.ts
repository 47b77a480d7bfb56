/** Whether a text in the spec can be read as a value of a field's type. */

const WHOLE = /^[+-]?\d{1,30}$/;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const DATE = /^\d{4}-\d{2}-\d{2}$/;

export function readsAs(text: string, type: string): boolean {
  switch (type) {
    case "string":
      return true;
    case "uuid":
      return UUID.test(text);
    case "boolean":
      return text === "true" || text === "false";
    case "integer":
      return WHOLE.test(text) && inRange(text, 31n);
    case "bigint":
      return WHOLE.test(text) && inRange(text, 63n);
    case "double":
      return NUMBER.test(text) && Number.isFinite(Number(text));
    case "timestamp":
      return WHOLE.test(text) || (text.includes("T") && !Number.isNaN(Date.parse(text)));
    case "date":
      return DATE.test(text) && !Number.isNaN(Date.parse(text));
    case "json":
      return isJson(text);
    default:
      return NUMBER.test(text);
  }
}

function inRange(text: string, bits: bigint): boolean {
  const value = BigInt(text.replace(/^\+/, ""));
  return value >= -(1n << bits) && value < 1n << bits;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}
