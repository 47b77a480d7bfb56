/** What runs on the native cluster from the start: names, volumes, and stand-ins for the two operators. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { applyText, kubectl } from "../host/kubectl.ts";
import { clusterDir } from "../host/paths.ts";
import { poll } from "../host/poll.ts";
import { images, type BuiltImage } from "../images/names.ts";
import { type NodeSettings } from "./settings.ts";

const manifests = join(import.meta.dirname, "../manifests");
const standInManifests = join(import.meta.dirname, "../stand-ins/manifests");

/** Fills in `${name}`; what has no value is left as it is. */
export function fillIn(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/\$\{(\w+)\}/g, (all, name: string) => values[name] ?? all);
}

async function read(folder: string, names: readonly string[]): Promise<string> {
  const texts = names.map(async (name) => await readFile(join(folder, name), "utf8"));
  return (await Promise.all(texts)).join("\n---\n");
}

/** CoreDNS and the storage class. */
export async function applyBasics(settings: NodeSettings, coredns: BuiltImage): Promise<void> {
  const text = await read(manifests, ["coredns.yaml", "storage-class.yaml"]);
  await applyText(fillIn(text, { image: `${coredns.repository}:${coredns.tag}`, dnsIp: settings.dnsIp }));
}

/** The custom resources of Strimzi and CloudNativePG, and who honours them; another image replaces the pod. */
export async function applyStandIns(image: BuiltImage): Promise<void> {
  const text = await read(standInManifests, ["crds-strimzi.yaml", "crds-cnpg.yaml", "stand-ins.yaml"]);
  const [alias = ""] = images.standIns.aliases;
  await applyText(text.replaceAll(`image: ${alias}`, `image: ${image.repository}:${image.tag}`));
}

/** Waits until the node and CoreDNS are ready. */
export async function awaitBasics(): Promise<void> {
  const ready = async (): Promise<true | undefined> => {
    const condition = `jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}`;
    if ((await kubectl(["get", "nodes", "-o", condition])) !== "True") return undefined;
    const coredns = ["-n", "kube-system", "get", "deployment", "coredns"];
    const available = await kubectl([...coredns, "-o", "jsonpath={.status.availableReplicas}"]);
    return available === "1" ? true : undefined;
  };
  await poll(ready, {
    seconds: 180,
    everyMs: 300,
    onTimeout: async () => {
      const seen = await kubectl(["get", "nodes,pods,events", "-n", "kube-system", "-o", "wide"]);
      return `The node or CoreDNS is not ready after 3 minutes; see ${clusterDir}/node/log, and this:\n${seen}`;
    },
  });
}
