/** Brings images into the node's containerd; what is there already is left alone. */
import { type BuiltImage } from "../images/names.ts";
import { ctr, type RunningNode } from "./node.ts";

/** Imports those whose contents changed, and says which those were. */
export async function importImages(node: RunningNode, built: readonly BuiltImage[]): Promise<readonly string[]> {
  const present = new Set((await ctr(node, "images", "ls", "-q")).trim().split("\n"));
  const missing = built.filter(({ repository, tag }) => !present.has(`${repository}:${tag}`));
  for (const { archive, repository, tag, aliases } of missing) {
    const snapshotter = node.settings.snapshotter;
    await ctr(node, "images", "import", "--snapshotter", snapshotter, archive);
    if (aliases.length > 0) await ctr(node, "images", "tag", "--force", `${repository}:${tag}`, ...aliases);
  }
  return missing.map(({ repository }) => repository);
}
