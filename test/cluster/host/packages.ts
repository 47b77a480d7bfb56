/** The host's own programs that the native cluster needs, installed from Debian if they are missing. */
import { accessSync, constants, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { HostUnfit, ToolMissing } from "./errors.ts";
import { type Progress } from "./progress.ts";
import { run } from "./run.ts";

interface HostProgram {
  readonly file: string;
  readonly debianPackage: string;
}

/** What must be there (a name in PATH or a path), and which package has it. */
export const hostPrograms: readonly HostProgram[] = [
  { file: "containerd", debianPackage: "containerd" },
  { file: "runc", debianPackage: "runc" },
  { file: "/usr/lib/cni/bridge", debianPackage: "containernetworking-plugins" },
  { file: "conntrack", debianPackage: "conntrack" },
  { file: "iptables", debianPackage: "iptables" },
  { file: "ip", debianPackage: "iproute2" },
  { file: "buildah", debianPackage: "buildah" },
  { file: "mmdebstrap", debianPackage: "mmdebstrap" },
  { file: "/usr/share/keyrings/debian-archive-keyring.gpg", debianPackage: "debian-archive-keyring" },
  { file: "openssl", debianPackage: "openssl" },
  { file: "unshare", debianPackage: "util-linux" },
  { file: "mvn", debianPackage: "maven" },
];

/** What the tests need besides: a broker, a PostgreSQL and a Redis as processes of the host. */
export const testPrograms: readonly HostProgram[] = [
  { file: "java", debianPackage: "default-jre-headless" },
  { file: "mvn", debianPackage: "maven" },
  { file: "/usr/bin/pg_createcluster", debianPackage: "postgresql" },
  { file: "redis-server", debianPackage: "redis-server" },
  { file: "faketime", debianPackage: "faketime" },
];

/** The packages of those programs that are not found. */
export function missingPackages(
  find: (file: string) => string | undefined,
  programs: readonly HostProgram[] = hostPrograms,
): readonly string[] {
  return programs.filter(({ file }) => find(file) === undefined).map(({ debianPackage }) => debianPackage);
}

function readable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** Where a program is (a name in PATH, or a path), if it is there. */
export function onHost(file: string): string | undefined {
  if (file.startsWith("/")) return readable(file) ? file : undefined;
  // Not every account has the administrator's folders in its PATH.
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return folders.map((folder) => join(folder, file)).find(readable);
}

/** Installs what is missing, or says what has to be installed. */
export async function ensureHostPrograms(progress: Progress): Promise<void> {
  if (process.platform !== "linux")
    throw new HostUnfit("Without Docker the cluster needs Linux. Start Docker, and it will be made with kind");
  if (process.getuid?.() !== 0)
    throw new HostUnfit(
      "Without Docker the cluster needs root (namespaces, mounts). Start Docker, or run this as root",
    );
  await install(missingPackages(onHost), progress);
}

/** Installs what the tests need, or says what has to be installed. */
export async function ensureTestPrograms(progress: Progress): Promise<void> {
  await install(missingPackages(onHost, testPrograms), progress);
}

/** Debian's PostgreSQL makes and starts a server of its own unless this file says otherwise. */
const noServer = "/etc/postgresql-common/createcluster.conf";

async function install(packages: readonly string[], progress: Progress): Promise<void> {
  if (packages.length === 0) return;
  if (onHost("apt-get") === undefined || process.getuid?.() !== 0)
    throw new ToolMissing(`Install these first (Debian's names): ${packages.join(" ")}`);
  await progress.step(`installing Debian packages: ${packages.join(" ")}`, async () => {
    // Debian starts the services that it installs, unless the system is in single-user mode.
    const env = { DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
    if (packages.includes("postgresql") && !existsSync(noServer)) {
      mkdirSync(dirname(noServer), { recursive: true });
      writeFileSync(noServer, "create_main_cluster = false\n");
    }
    const options = ["-y", "-qq", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confold"];
    await run("apt-get", ["update", "-qq"], { env });
    await run("apt-get", ["install", ...options, ...packages], { env });
  });
}
