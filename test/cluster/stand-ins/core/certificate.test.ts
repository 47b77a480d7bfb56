import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer } from "node:tls";
import { expect, test } from "vitest";
import { makeAuthority, makeServerCertificate } from "./certificate.ts";

const names = ["db-rw", "db-rw.shop", "db-rw.shop.svc"];

test("a server with such a certificate is trusted by its authority, under its names alone", async () => {
  const now = new Date();
  const [authority, stranger] = [makeAuthority("db", now), makeAuthority("db", now)];
  const { certificate, key } = makeServerCertificate(authority, names, now);
  expect(new X509Certificate(authority.certificate).ca).toBe(true);
  const server = createServer({ cert: certificate, key }, (socket) => socket.end()).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const says = async (servername: string, ca: string): Promise<string> => {
    const socket = connect({ host: "127.0.0.1", port, servername, ca });
    try {
      return await new Promise((resolve) => {
        socket.on("secureConnect", () => resolve("trusted"));
        socket.on("error", (error: NodeJS.ErrnoException) => resolve(String(error.code)));
      });
    } finally {
      socket.destroy();
    }
  };
  try {
    for (const name of names) expect(await says(name, authority.certificate)).toBe("trusted");
    expect(await says("other", authority.certificate)).toBe("ERR_TLS_CERT_ALTNAME_INVALID");
    expect(await says("db-rw", stranger.certificate)).not.toBe("trusted");
    expect(await says("db-rw", `${stranger.certificate}${authority.certificate}`)).toBe("trusted");
  } finally {
    server.close();
  }
});
