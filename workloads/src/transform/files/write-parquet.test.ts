/** Every type × the ends of its values in a file of Parquet, read again by DuckDB. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { projectExtremes } from "../../kernel/testing/project-extremes.ts";
import { EXTREME_ROWS, EXTREMES, extremeAt } from "../../kernel/testing/values.ts";
import { type DuckDB, openDuckDB } from "@caudal/pipeline/duckdb";
import { text as literal } from "@caudal/pipeline/sql";
import { ParquetWriter } from "./write-parquet.ts";

const folder = mkdtempSync(join(tmpdir(), "caudal-parquet-"));
let reader: DuckDB;
beforeAll(async () => (reader = await openDuckDB({ memoryLimit: "128MB", folder })));
afterAll(() => {
  reader.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Parquet has no integers of more than 128 bits, nor DuckDB a way to write those of more than 38 digits. */
const fits = (text: string) => !/^-?\d{39,}$/.test(text);

test("values of every type are exact", async () => {
  const { plan, rows } = await projectExtremes();
  const writer = await ParquetWriter.open(plan.columns, folder);
  const batch = { ...rows, moves: [] };
  try {
    for (let row = 0; row < EXTREME_ROWS; row++) {
      const file = join(folder, `${row}.parquet`);
      const large = EXTREMES.some((type) => !fits(extremeAt(type, row).text));
      if (large) await expect(writer.write(file, batch, [row])).rejects.toThrow("Conversion Error");
    }
    const kept = Array.from({ length: EXTREME_ROWS }, (_, row) => row).filter((row) =>
      EXTREMES.every((type) => fits(extremeAt(type, row).text)),
    );
    expect(kept.length).toBeGreaterThan(1);
    for (const [name, part] of [["all", kept], ...kept.map((row) => [String(row), [row]] as const)] as const) {
      const file = join(folder, `rows-${name}.parquet`);
      await writer.write(file, batch, part);
      const list = plan.columns
        .slice(1)
        .map(({ name: column }) => `"${column}"::varchar as "${column}"`)
        .join(", ");
      const read = await reader.rows(`select ${list} from read_parquet('${file}')`);
      expect(read).toEqual(await Promise.all(part.map(expected)));
    }
  } finally {
    writer.close();
  }
});

/** What DuckDB itself makes of the texts: it writes some numbers in its own way. */
async function expected(row: number): Promise<unknown> {
  const casts = EXTREMES.map(
    (type, index) => `${literal(extremeAt(type, row).text)}::${type.duckdbType}::varchar as c${index}`,
  );
  return (await reader.rows(`select ${casts.join(", ")}`))[0];
}
