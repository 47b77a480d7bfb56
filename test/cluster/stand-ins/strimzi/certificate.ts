import { connect } from "node:tls";

const timeoutMs = 5_000;

/** The certificate of the broker behind an address could not be had. */
export class NoCertificate extends Error {
  readonly code = "NoCertificate";
}

/**
 * The certificate that the server at an address shows, as PEM. It is believed, because it signs itself: the broker made
 * it where only the broker can read its key, and what clients of the development cluster trust is what it shows here.
 */
export async function certificateOf(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, servername: host, rejectUnauthorized: false, timeout: timeoutMs }, () => {
      const lines =
        socket
          .getPeerCertificate()
          .raw.toString("base64")
          .match(/.{1,64}/g) ?? [];
      socket.end();
      resolve(["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n"));
    });
    socket.on("timeout", () => socket.destroy(new NoCertificate(`${host}:${String(port)} is silent`)));
    socket.on("error", reject);
  });
}
