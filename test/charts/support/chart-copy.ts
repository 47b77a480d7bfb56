import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chartFolder } from "./helm.ts";

export interface ChartCopy {
  readonly folder: string;
  remove(): Promise<void>;
}

/** A copy of charts/caudal as a later release of it might be: one file is changed. */
export async function changedCopy(file: string, change: (text: string) => string): Promise<ChartCopy> {
  const parent = await mkdtemp(join(tmpdir(), "caudal-chart-"));
  const folder = join(parent, "caudal");
  await cp(chartFolder("caudal"), folder, { recursive: true });
  const before = await readFile(join(folder, file), "utf8");
  const after = change(before);
  if (after === before) throw new Error(`${file} is as it was: the change did not find its place`);
  await writeFile(join(folder, file), after);
  return { folder, remove: async () => await rm(parent, { recursive: true, force: true }) };
}
