/**
 * Serves the storage class `standard` with folders of this host. The controller-manager's own way to do this makes
 * folders that only root may write to; these are open to whichever user the pod runs as.
 */
import { chmod, mkdir, rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { apiClient, type ApiClient } from "./api-client.ts";
import { nodeRoot, type NodeSettings } from "./settings.ts";
import { planVolumes, type Claim, type Volume, type VolumePlan } from "./volume-plan.ts";

const volumesPath = "/api/v1/persistentvolumes";

async function apply(api: ApiClient, plan: VolumePlan): Promise<void> {
  for (const volume of plan.make) {
    const folder = volume.spec.local?.path ?? "";
    await mkdir(folder, { recursive: true });
    await chmod(folder, 0o777);
    await api("POST", volumesPath, { apiVersion: "v1", kind: "PersistentVolume", ...volume });
    console.log(`made ${volume.metadata.name} in ${folder}`);
  }
  for (const volume of plan.remove) {
    const folder = volume.spec.local?.path;
    if (folder?.startsWith(`${nodeRoot}/volumes/`) === true) await rm(folder, { recursive: true, force: true });
    await api("DELETE", `${volumesPath}/${volume.metadata.name}`);
    console.log(`removed ${volume.metadata.name} with ${folder ?? "nothing"}`);
  }
}

/** Looks at claims and volumes twice a second, for ever; what fails is logged and tried again. */
export async function serveVolumes(settings: NodeSettings): Promise<never> {
  const api = apiClient(settings, `${nodeRoot}/pki`);
  const list = async <T>(path: string): Promise<readonly T[]> =>
    ((await api("GET", `${path}?resourceVersion=0`)) as { items: readonly T[] }).items;
  for (;;) {
    try {
      const claims = await list<Claim>("/api/v1/persistentvolumeclaims");
      const volumes = await list<Volume>(volumesPath);
      await apply(api, planVolumes(claims, volumes, settings.nodeName, `${nodeRoot}/volumes`));
    } catch (error) {
      console.error(`volumes: ${error instanceof Error ? error.message : String(error)}`);
    }
    await sleep(500);
  }
}
