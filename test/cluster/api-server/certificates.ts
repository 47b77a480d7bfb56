/** A certificate authority of one's own, and kubeconfigs for those it signed. */
import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../host/run.ts";

export interface Identity {
  readonly name: string;
  readonly user: string;
  readonly group?: string;
  /** Subject alternative names as openssl writes them: "DNS:localhost", "IP:127.0.0.1". */
  readonly names?: readonly string[];
}

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

async function sign(folder: string, identity: Identity): Promise<void> {
  const file = (kind: string): string => join(folder, `${identity.name}.${kind}`);
  const subject = `${identity.group === undefined ? "" : `/O=${identity.group}`}/CN=${identity.user}`;
  const names = identity.names === undefined ? [] : [`subjectAltName=${identity.names.join(",")}`];
  await writeFile(file("ext"), ["extendedKeyUsage=clientAuth,serverAuth", ...names].join("\n"));
  await run("openssl", ["req", ...newKey, "-keyout", file("key"), "-out", file("csr"), "-subj", subject]);
  const authority = ["-CA", join(folder, "ca.crt"), "-CAkey", join(folder, "ca.key")];
  const serial = ["-set_serial", `0x0${randomBytes(15).toString("hex")}`, "-days", "3650"];
  const files = ["-in", file("csr"), "-out", file("crt"), "-extfile", file("ext")];
  await run("openssl", ["x509", "-req", ...files, ...authority, ...serial]);
}

/** Makes ca.crt, ca.key, sa.key, sa.pub (for service account tokens) and `name.crt`, `name.key` an identity. */
export async function makeCertificates(folder: string, identities: readonly Identity[]): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = (name: string): string => join(folder, name);
  const authority = ["-x509", "-days", "3650", "-subj", "/CN=caudal-cluster"];
  await Promise.all([
    run("openssl", ["req", ...authority, ...newKey, "-keyout", file("ca.key"), "-out", file("ca.crt")]),
    run("openssl", ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", file("sa.key")]),
  ]);
  await run("openssl", ["pkey", "-in", file("sa.key"), "-pubout", "-out", file("sa.pub")]);
  await Promise.all(identities.map((identity) => sign(folder, identity)));
}

/** A kubeconfig that carries its certificates, so that it works from anywhere. */
export async function kubeconfigFor(folder: string, name: string, server: string): Promise<string> {
  const base64 = async (file: string): Promise<string> => (await readFile(join(folder, file))).toString("base64");
  return JSON.stringify(
    {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "caudal", cluster: { server, "certificate-authority-data": await base64("ca.crt") } }],
      users: [
        {
          name,
          user: {
            "client-certificate-data": await base64(`${name}.crt`),
            "client-key-data": await base64(`${name}.key`),
          },
        },
      ],
      contexts: [{ name: "caudal", context: { cluster: "caudal", user: name } }],
      "current-context": "caudal",
    },
    null,
    2,
  );
}
