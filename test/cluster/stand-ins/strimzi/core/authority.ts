/** The authority of a Kafka: two Secrets as Strimzi has them, one with its key, one with what clients trust. */
import { X509Certificate } from "node:crypto";
import { makeAuthority, makeServerCertificate } from "../../core/certificate.ts";
import type { Issued } from "../../core/certificate.ts";
import { managedBy, namespaceOf, ownedBy, secretText } from "../../core/objects.ts";
import type { Secret } from "../../core/objects.ts";
import { clusterLabel } from "./types.ts";
import type { Kafka } from "./types.ts";

/** Written by people on the Secret with the key: another authority takes over. */
export const forceReplace = "strimzi.io/force-replace";
const certificateGeneration = "strimzi.io/ca-cert-generation";
const keyGeneration = "strimzi.io/ca-key-generation";
const current = "ca.crt";

/** The name of the Secret with the authority's key. */
export const authorityKeySecretName = (kafka: Kafka): string => `${kafka.metadata.name}-cluster-ca`;
/** The name of the Secret with the certificates that clients trust. */
export const authoritySecretName = (kafka: Kafka): string => `${kafka.metadata.name}-cluster-ca-cert`;
/** The name of the Secret with what the broker shows. */
export const serverSecretName = (kafka: Kafka): string => `${kafka.metadata.name}-kafka-stand-in-server`;

/** The generation of an authority, or of the one that signed a server's certificate; -1 where there is none. */
export function generationOf(secret: Secret | undefined): number {
  return Number(secret?.metadata.annotations?.[keyGeneration] ?? -1);
}

/** Whether the authority is to be made, or made anew. */
export function wantsAuthority(key: Secret | undefined, trusted: Secret | undefined): boolean {
  const made = secretText(key, "ca.key") !== undefined && secretText(trusted, current) !== undefined;
  return !made || key?.metadata.annotations?.[forceReplace] === "true";
}

/** The next authority, its Secrets whole. What was trusted before stays trusted, under the day on which it would end. */
export function nextAuthority(
  kafka: Kafka,
  key: Secret | undefined,
  trusted: Secret | undefined,
  now: Date,
): { readonly key: Secret; readonly trusted: Secret } {
  const generation = String(generationOf(key) + 1);
  const { certificate, key: made } = makeAuthority(`cluster-ca v${generation}`, now);
  const before = secretText(trusted, current);
  const kept = before === undefined ? {} : { [nameOfOld(before)]: before };
  const others = Object.fromEntries(oldNames(trusted).map((name) => [name, secretText(trusted, name) ?? ""]));
  return {
    key: secretOf(kafka, authorityKeySecretName(kafka), { "ca.key": made }, { [keyGeneration]: generation }),
    trusted: secretOf(
      kafka,
      authoritySecretName(kafka),
      { ...others, ...kept, [current]: certificate },
      { [certificateGeneration]: generation },
    ),
  };
}

/** The keys of certificates that are trusted besides the current one. */
export function oldNames(trusted: Secret | undefined): string[] {
  return Object.keys(trusted?.data ?? {}).filter((name) => name.endsWith(".crt") && name !== current);
}

/** `ca-2027-01-31T08-46-39Z.crt` */
function nameOfOld(certificate: string): string {
  const end = new Date(new X509Certificate(certificate).validTo).toISOString();
  return `ca-${end.slice(0, 19).replaceAll(":", "-")}Z.crt`;
}

/** What the broker shows: its key and its certificate in one file, as Kafka reads PEM. */
export function serverSecret(kafka: Kafka, key: Secret, trusted: Secret, now: Date): Secret {
  const authority: Issued = { certificate: secretText(trusted, current) ?? "", key: secretText(key, "ca.key") ?? "" };
  const server = makeServerCertificate(authority, serverNames(kafka), now);
  return secretOf(
    kafka,
    serverSecretName(kafka),
    { "keystore.pem": `${server.key}${server.certificate}` },
    { [keyGeneration]: String(generationOf(key)) },
  );
}

/** The names that the broker's certificate holds for. */
function serverNames(kafka: Kafka): string[] {
  const { name } = kafka.metadata;
  const near = [`${name}-kafka-bootstrap`, `*.${name}-kafka-brokers`];
  const suffixes = ["", ...["", ".svc", ".svc.cluster.local"].map((end) => `.${namespaceOf(kafka)}${end}`)];
  return near.flatMap((host) => suffixes.map((suffix) => `${host}${suffix}`));
}

function secretOf(
  kafka: Kafka,
  name: string,
  values: Record<string, string>,
  annotations: Record<string, string>,
): Secret {
  const metadata = {
    name,
    namespace: namespaceOf(kafka),
    labels: { ...managedBy, [clusterLabel]: kafka.metadata.name, "strimzi.io/kind": "Kafka" },
    annotations,
    ownerReferences: [ownedBy(kafka)],
  };
  const data = Object.entries(values).map(([key, text]) => [key, Buffer.from(text).toString("base64")] as const);
  return { apiVersion: "v1", kind: "Secret", metadata, type: "Opaque", data: Object.fromEntries(data) };
}
