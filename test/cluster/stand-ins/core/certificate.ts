/**
 * An authority, and certificates that it signs (X.509 v3, RFC 5280, written in DER), for clusters of development: an
 * image with Node alone has no openssl.
 *
 *   Certificate = { TBSCertificate  algorithm  signature }
 *   TBSCertificate = { [0] version  serial  algorithm  issuer  validity  subject  public key  [3] extensions }
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from "node:crypto";

/** A certificate and its key, both in PEM. */
export interface Issued {
  readonly certificate: string;
  readonly key: string;
}

const Tag = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  oid: 0x06,
  text: 0x0c,
  time: 0x18,
  list: 0x30,
  set: 0x31,
};
const DNS_NAME = 0x82;
const DAY_MS = 86_400_000;

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  if (length < 128) return Buffer.concat([Buffer.from([tag, length]), content]);
  const bytes = length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...bytes]), content]);
}

const list = (...parts: readonly Buffer[]): Buffer => der(Tag.list, ...parts);
const oid = (hex: string): Buffer => der(Tag.oid, Buffer.from(hex, "hex"));
const commonName = (name: string): Buffer => der(Tag.set, list(oid("550403"), der(Tag.text, Buffer.from(name))));
const time = (at: Date): Buffer => der(Tag.time, Buffer.from(`${at.toISOString().replace(/[-:T]|\.\d+/g, "")}`));
const extension = (id: string, critical: boolean, value: Buffer): Buffer =>
  list(oid(id), ...(critical ? [der(Tag.boolean, Buffer.from([0xff]))] : []), der(Tag.octets, value));

const ECDSA_SHA256 = list(oid("2a8648ce3d040302"));
const SUBJECT_KEY = "551d0e";
const AUTHORITY_KEY = "551d23";
const SUBJECT_ALT_NAME = "551d11";
const BASIC_CONSTRAINTS = "551d13";
const AUTHORITY = list(der(Tag.boolean, Buffer.from([0xff])));

const keyId = (spki: Buffer): Buffer => createHash("sha1").update(spki).digest();
const spkiOf = (key: KeyObject): Buffer => createPublicKey(key).export({ type: "spki", format: "der" });

interface Subject {
  readonly name: string;
  readonly extension: Buffer;
  readonly days: number;
}

function issue(
  subject: Subject,
  by: { readonly name: string; readonly key: KeyObject } | undefined,
  now: Date,
): Issued {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const serial = Buffer.concat([Buffer.from([1]), randomBytes(15)]);
  const spki = publicKey.export({ type: "spki", format: "der" });
  // Which of several authorities of one name has signed it: without these a bundle of two would not do.
  const identifiers = [
    extension(SUBJECT_KEY, false, der(Tag.octets, keyId(spki))),
    ...(by === undefined ? [] : [extension(AUTHORITY_KEY, false, list(der(0x80, keyId(spkiOf(by.key)))))]),
  ];
  const certified = list(
    der(0xa0, der(Tag.integer, Buffer.from([2]))),
    der(Tag.integer, serial),
    ECDSA_SHA256,
    list(commonName(by?.name ?? subject.name)),
    list(time(new Date(now.getTime() - DAY_MS)), time(new Date(now.getTime() + subject.days * DAY_MS))),
    list(commonName(subject.name)),
    spki,
    der(0xa3, list(subject.extension, ...identifiers)),
  );
  const signature = sign("sha256", certified, by?.key ?? privateKey);
  const whole = list(certified, ECDSA_SHA256, der(Tag.bits, Buffer.from([0]), signature));
  const key = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
  return { certificate: new X509Certificate(whole).toString(), key };
}

/** @param now begins its time, a day earlier, for clocks that differ */
export function makeAuthority(name: string, now: Date): Issued {
  return issue({ name, extension: extension(BASIC_CONSTRAINTS, true, AUTHORITY), days: 3_650 }, undefined, now);
}

/** A server's certificate. @param names DNS names; the first is its common name too */
export function makeServerCertificate(authority: Issued, names: readonly string[], now: Date): Issued {
  const all = list(...names.map((name) => der(DNS_NAME, Buffer.from(name))));
  const issuer = /^CN=(.*)$/m.exec(new X509Certificate(authority.certificate).subject)?.[1] ?? "";
  const by = { name: issuer, key: createPrivateKey(authority.key) };
  return issue({ name: names[0] ?? "", extension: extension(SUBJECT_ALT_NAME, false, all), days: 3_650 }, by, now);
}
