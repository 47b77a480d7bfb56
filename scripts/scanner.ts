/**
 * Compiles the scanner (AssemblyScript, workloads/assembly) to WebAssembly: `node scripts/scanner.ts` writes
 * workloads/src/kernel/scan.wasm, `--check` fails when that file is not what the sources give.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import asc from "assemblyscript/asc";

const root = join(import.meta.dirname, "..");
const sources = join(root, "workloads/assembly");
const target = join(root, "workloads/src/kernel/scan.wasm");

async function compile(): Promise<Uint8Array> {
  let output: Uint8Array | undefined;
  const options = ["-O3", "--converge", "--enable", "simd", "--runtime", "minimal", "--noAssert", "--use", "abort="];
  const { error, stderr } = await asc.main(["index.ts", ...options, "--outFile", "scan.wasm"], {
    readFile: (name, base = ".") => readSource(join(sources, base, name)),
    writeFile: (_name, contents) => {
      if (typeof contents !== "string") output = contents;
    },
    listFiles: () => [],
  });
  if (error !== null || output === undefined)
    throw new Error(`workloads/assembly does not compile:\n${stderr.toString()}${error?.message ?? ""}`);
  return output;
}

function readSource(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null; // asc asks for several spellings of a name
  }
}

const compiled = await compile();
if (!process.argv.includes("--check")) writeFileSync(target, compiled);
else if (!Buffer.from(compiled).equals(readFileSync(target))) {
  console.error("workloads/src/kernel/scan.wasm is not what workloads/assembly gives: run `npm run generate`");
  process.exitCode = 1;
}
