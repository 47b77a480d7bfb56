import { X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import { secretText } from "../../core/objects.ts";
import type { Secret } from "../../core/objects.ts";
import { forceReplace, generationOf, nextAuthority, oldNames, serverSecret, wantsAuthority } from "./authority.ts";
import type { Kafka } from "./types.ts";

const kafka: Kafka = {
  apiVersion: "kafka.strimzi.io/v1",
  kind: "Kafka",
  metadata: { name: "platform", namespace: "n", uid: "u" },
};
const at = (day: number) => new Date(Date.UTC(2026, 0, day));
const certificate = (secret: Secret, name = "ca.crt") => new X509Certificate(secretText(secret, name) ?? "");
const shown = (server: Secret) => {
  const pem = secretText(server, "keystore.pem") ?? "";
  return new X509Certificate(pem.slice(pem.indexOf("-----BEGIN CERTIFICATE")));
};

test("an authority is made once, and signs the broker's certificate for all names", () => {
  expect(wantsAuthority(undefined, undefined)).toBe(true);
  const { key, trusted } = nextAuthority(kafka, undefined, undefined, at(1));
  expect(wantsAuthority(key, trusted)).toBe(false);
  expect(wantsAuthority(undefined, trusted)).toBe(true);
  const server = serverSecret(kafka, key, trusted, at(1));
  expect([key, server].map(generationOf)).toEqual([0, 0]);
  expect(shown(server).verify(certificate(trusted).publicKey)).toBe(true);
  for (const host of ["platform-kafka-bootstrap.n.svc", "platform-dual-0.platform-kafka-brokers.n.svc"])
    expect(shown(server).checkHost(host)).toBeDefined();
});

test("one that is replaced stays trusted under the day on which it would end, however often", () => {
  const first = nextAuthority(kafka, undefined, undefined, at(1));
  const asked = { ...first.key, metadata: { ...first.key.metadata, annotations: { [forceReplace]: "true" } } };
  expect(wantsAuthority(asked, first.trusted)).toBe(true);
  const second = nextAuthority(kafka, first.key, first.trusted, at(2));
  const third = nextAuthority(kafka, second.key, second.trusted, at(3));
  expect(oldNames(second.trusted)).toEqual(["ca-2035-12-30T00-00-00Z.crt"]);
  expect(oldNames(third.trusted)).toEqual(["ca-2035-12-30T00-00-00Z.crt", "ca-2035-12-31T00-00-00Z.crt"]);
  expect(certificate(third.trusted, "ca-2035-12-30T00-00-00Z.crt").raw).toEqual(certificate(first.trusted).raw);
  const server = serverSecret(kafka, second.key, second.trusted, at(2));
  expect(shown(server).verify(certificate(second.trusted).publicKey)).toBe(true);
  expect(shown(server).verify(certificate(first.trusted).publicKey)).toBe(false);
  expect(generationOf(third.key)).toBe(2);
});
