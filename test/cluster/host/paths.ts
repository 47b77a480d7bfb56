/** Where things lie: the checkout, this checkout's cluster, and the cache that all checkouts of this user share. */
import { createHash } from "node:crypto";
import { homedir } from "node:os";
import { join } from "node:path";

export const repository = join(import.meta.dirname, "../../..");
/** Everything the cluster of this checkout writes; `down` removes the folder. */
export const clusterDir = join(repository, ".cluster");
export const kubeconfigPath = join(clusterDir, "kubeconfig");
export const cacheDir = process.env["CAUDAL_CACHE"] ?? join(homedir(), ".cache", "caudal");

/** A name for what has to be unique on the host (links, cgroups): two checkouts get two clusters. */
export const clusterId = createHash("sha256").update(repository).digest("hex").slice(0, 8);
