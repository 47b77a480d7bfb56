/** Skaffold's own JSON schema, out of its Go module. */
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run, succeeds } from "../../cluster/host/run.ts";

const skaffoldModule = "github.com/GoogleContainerTools/skaffold/v2@v2.16.1";

/** The schema of an apiVersion such as `skaffold/v4beta13`, or why there is none on this machine. */
export async function skaffoldSchema(apiVersion: string): Promise<{ schema: object } | { missing: string }> {
  if (!(await succeeds("go", ["version"]))) return { missing: "Go is not in PATH" };
  try {
    // Outside any module, so that none of them is asked.
    const answer = await run("go", ["mod", "download", "-json", skaffoldModule], { cwd: tmpdir() });
    const { Dir: folder } = JSON.parse(answer) as { Dir: string };
    const name = `${apiVersion.replace("skaffold/", "")}.json`;
    const text = await readFile(join(folder, "docs-v2/content/en/schemas", name), "utf8");
    return { schema: JSON.parse(text) as object };
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error) };
  }
}
