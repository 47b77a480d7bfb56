/**
 * Functions over JSON for DuckDB whose own make doubles of numbers, take the first of a key's values, and read what is no
 * JSON. SQL is rewritten to call these: see exact-json.ts.
 */
import type { DuckDBConnection, DuckDBDataChunk } from "@duckdb/node-api";
import {
  elementsOf,
  isScalar,
  jsonOf,
  plainText,
  valuesUnder,
  valueUnder,
  withNumbersAsTexts,
} from "../json/json-text.ts";

/** By name: what is given the document and, where it takes one, the path. */
type Compute = (json: string, path: string) => string | undefined;

const texts = (values: readonly string[]) => JSON.stringify(values.map((value) => plainText(value) ?? null));
const values = (list: readonly string[]) => JSON.stringify(list.map((value) => (value === "null" ? null : value)));

/** Those whose type is JSON. */
const TO_JSON: Readonly<Record<string, Compute>> = {
  caudal_json: (json) => jsonOf(json),
  caudal_json_exact: (json) => withNumbersAsTexts(json),
  caudal_json_extract: valueUnder,
  /** Lists of texts, for what DuckDB gives as a list. */
  caudal_json_elements: (json) => values(elementsOf(json)),
  caudal_json_values: (json, path) => JSON.stringify(valuesUnder(json, path)),
  caudal_json_texts: (json, path) => texts(valuesUnder(json, path)),
};
/** Those whose type is VARCHAR. */
const TO_TEXT: Readonly<Record<string, Compute>> = {
  caudal_json_value: (json, path) => {
    const value = valueUnder(json, path);
    return value !== undefined && value !== "null" && isScalar(value) ? value : undefined;
  },
  caudal_json_text: (json, path) => plainText(valueUnder(json, path) ?? "null"),
};
const WITH_PATH = new Set([
  "caudal_json_extract",
  "caudal_json_values",
  "caudal_json_texts",
  "caudal_json_value",
  "caudal_json_text",
]);

/** Makes the functions known to a connection's database. */
export async function registerJsonFunctions(connection: DuckDBConnection): Promise<void> {
  const { DuckDBScalarFunction, DuckDBVarCharType, VARCHAR } = await import("./duckdb-library.ts");
  const json = new DuckDBVarCharType("JSON");
  for (const [all, returnType] of [
    [TO_JSON, json],
    [TO_TEXT, VARCHAR],
  ] as const)
    for (const [name, compute] of Object.entries(all))
      connection.registerScalarFunction(
        DuckDBScalarFunction.create({
          ...{ name, returnType, parameterTypes: WITH_PATH.has(name) ? [VARCHAR, VARCHAR] : [VARCHAR] },
          mainFunction(info, input, output) {
            try {
              for (let row = 0; row < input.rowCount; row++) output.setItem(row, resultOf(compute, input, row));
              output.flush();
            } catch (error) {
              info.setError(error instanceof Error ? error.message : String(error));
            }
          },
        }),
      );
}

function resultOf(compute: Compute, input: DuckDBDataChunk, row: number): string | null {
  const json = input.getColumnVector(0).getItem(row);
  const path = input.columnCount > 1 ? input.getColumnVector(1).getItem(row) : "";
  return typeof json === "string" && typeof path === "string" ? (compute(json, path) ?? null) : null;
}
