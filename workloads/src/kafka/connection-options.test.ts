import { expect, test } from "vitest";
import { connectionOptions, type SecretFiles } from "./connection-options.ts";

const kafka = { bootstrapServers: ["kafka:9093"], tls: { ca: "/ca" } };

function filesOf(files: Record<string, string>): SecretFiles {
  return {
    read: (file) => files[file.slice("/ca/".length)] ?? "",
    names: () => Object.keys(files),
  };
}

test.each([
  ["one authority", { "ca.crt": "new" }, ["new"]],
  [
    "one that takes the place of another: brokers show chains of both",
    { "ca.crt": "new", "ca-2026-11-30T01-02-03Z.crt": "old", "ca.p12": "store", "ca.password": "secret" },
    ["old", "new"],
  ],
])("%s: all are trusted", (_what, files, trusted) => {
  expect(connectionOptions(kafka, "broker", filesOf(files)).tls).toEqual({ ca: trusted });
});

test("authorities are read again for each connection", () => {
  const files: Record<string, string> = { "ca.crt": "old" };
  const secrets = filesOf(files);
  expect(connectionOptions(kafka, "broker", secrets).tls).toEqual({ ca: ["old"] });
  files["ca-before.crt"] = "old";
  files["ca.crt"] = "new";
  expect(connectionOptions(kafka, "broker", secrets).tls).toEqual({ ca: ["old", "new"] });
});

test("a folder without any says what to put there", () => {
  expect(() => connectionOptions(kafka, "broker", filesOf({ "ca.p12": "store" }))).toThrow(
    "put the authority's certificate into the Secret as ca.crt",
  );
});
