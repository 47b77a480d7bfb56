/** What libpq calls sslmode, with the meanings that it has there. Pure. */
import { checkServerIdentity, type PeerCertificate } from "node:tls";

export const SSL_MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] as const;
export type SslMode = (typeof SSL_MODES)[number];

/** How one connection is tried: in clear text, or with what a TLS socket is given. */
export type Attempt = false | TlsChecks;

export interface TlsChecks {
  readonly rejectUnauthorized: boolean;
  /** Certificates in PEM, each of which is trusted; without: those of the system. */
  readonly ca?: string;
  readonly checkServerIdentity: (host: string, certificate: PeerCertificate) => Error | undefined;
}

export interface Trust {
  /** By default verify-full where an authority is known, and else require. */
  readonly sslmode?: SslMode | undefined;
  readonly ca?: string | undefined;
  /** The name that the server's certificate is to have. */
  readonly host: string;
}

export function sslModeOf({ sslmode, ca }: Pick<Trust, "sslmode" | "ca">): SslMode {
  return sslmode ?? (ca === undefined ? "require" : "verify-full");
}

/** @returns what is tried, one after the other, as long as the server refuses only the way in which it is called */
export function attemptsOf(trust: Trust): readonly Attempt[] {
  const { ca, host } = trust;
  const anyName = (): undefined => undefined;
  const thisName = (_: string, certificate: PeerCertificate) => checkServerIdentity(host, certificate);
  const verified = (check: TlsChecks["checkServerIdentity"]): TlsChecks => ({
    rejectUnauthorized: true,
    checkServerIdentity: check,
    ...(ca === undefined ? {} : { ca }),
  });
  const encrypted: TlsChecks = { rejectUnauthorized: false, checkServerIdentity: anyName };
  switch (sslModeOf(trust)) {
    case "disable":
      return [false];
    case "allow":
      return [false, encrypted];
    case "prefer":
      return [encrypted, false];
    case "require":
      // As in libpq, where an authority's certificate that is given is checked.
      return [ca === undefined ? encrypted : verified(anyName)];
    case "verify-ca":
      return [verified(anyName)];
    case "verify-full":
      return [verified(thisName)];
  }
}
