/** Root file systems of Debian, made from its packages. */
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { cached, contentKey } from "../host/cache.ts";
import { run } from "../host/run.ts";

const release = "trixie";

export interface RootFs {
  readonly key: string;
  readonly packages: readonly string[];
  /** Paths that are left out of the packages. */
  readonly exclude: readonly string[];
  /** Shell commands on the file system "$1", before and after its packages are installed. */
  readonly before?: string;
  readonly after: string;
}

/** Numeric users need a name where programs ask for one. */
const users = `echo "caudal:x:65532:65532::/tmp:/usr/sbin/nologin" >> "$1/etc/passwd"
echo "caudal:x:65532:" >> "$1/etc/group"`;
const documents = ["/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*"];

function rootFs(definition: Omit<RootFs, "key">): RootFs {
  return { ...definition, key: contentKey([release, process.arch, JSON.stringify(definition)]) };
}

/** What our own programs run on, with Node. */
export const nodeRootFs = rootFs({
  packages: ["ca-certificates", "libstdc++6"],
  exclude: [...documents, "/usr/share/man/*"],
  after: users,
});

/**
 * What Kafka, PostgreSQL and Valkey run on. PostgreSQL's just-in-time compiler, which is larger than all the rest, is left out:
 * PostgreSQL then does without it.
 */
export const servicesRootFs = rootFs({
  packages: ["openjdk-21-jre-headless", "postgresql-17", "valkey-server", "valkey-tools"],
  exclude: [
    ...documents,
    "/usr/lib/*/libLLVM*",
    "/usr/lib/*/libz3*",
    "/usr/lib/postgresql/17/lib/bitcode/*",
    "/usr/lib/postgresql/17/lib/llvmjit*",
    "/usr/lib/jvm/*/lib/server/classes_nocoops.jsa",
  ],
  before: `mkdir -p "$1/etc/postgresql-common"
echo "create_main_cluster = false" > "$1/etc/postgresql-common/createcluster.conf"`,
  after: `${users}
rm -rf "$1"/usr/share/man/*
find "$1/usr/lib/postgresql/17/bin" -type f | while read -r program; do
  [ -e "$1/usr/local/bin/\${program##*/}" ] || ln -s "\${program#"$1"}" "$1/usr/local/bin/\${program##*/}"
done`,
});

/** The tar of a root file system; made from packages if it is not in the cache. */
export async function rootFsTar(definition: RootFs): Promise<string> {
  const folder = await cached("debian", definition.key, async (unfinished) => {
    const tar = join(unfinished, "unfinished.tar");
    const hooks = [
      ...(definition.before === undefined ? [] : [`--essential-hook=${definition.before}`]),
      `--customize-hook=${definition.after}`,
    ];
    await run("mmdebstrap", [
      "--variant=essential",
      "--dpkgopt=force-confold",
      "--dpkgopt=force-unsafe-io",
      ...definition.exclude.map((path) => `--dpkgopt=path-exclude=${path}`),
      ...hooks,
      `--include=${definition.packages.join(",")}`,
      release,
      tar,
    ]);
    await rename(tar, join(unfinished, "rootfs.tar"));
  });
  return join(folder, "rootfs.tar");
}
