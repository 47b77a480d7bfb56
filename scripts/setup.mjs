// Makes `node` and every package of the lockfile available, on any host Node from 18 on. Fast when nothing changed.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const stamp = join(root, "node_modules", ".caudal-setup");
const wanted = createHash("sha256")
  .update(readFileSync(join(root, "package-lock.json")))
  .digest("hex");

if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== wanted) {
  console.log("setup: installing the packages of package-lock.json (npm ci)");
  try {
    execFileSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: root, stdio: "inherit" });
  } catch {
    console.error("setup: npm ci failed. Is the npm registry reachable? Try `npm ci` by hand to see npm's own words.");
    process.exit(1);
  }
  writeFileSync(stamp, wanted);
}
