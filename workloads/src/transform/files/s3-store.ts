/** Files in an S3-compatible store, which has no rename: a copy within it publishes a file, whole or not at all. */
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  HeadObjectCommand,
  paginateListObjectsV2,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { existsSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { FilesRefused, FilesUnavailable } from "./errors.ts";
import type { FileStore } from "./file-store.ts";

export interface S3Options {
  readonly bucket: string;
  /** Before every name; it ends with a slash, or is empty. */
  readonly prefix: string;
  /** URL of the store; Amazon's own without it. */
  readonly endpoint?: string;
  readonly region: string;
  /** Folder with the files AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and perhaps ca.crt. */
  readonly secret: string;
}

/** Of one try; the client tries three times. */
const ANSWER_MS = 60_000;
const ATTEMPTS = 3;

export class S3Store implements FileStore {
  readonly #options: S3Options;
  readonly #client: S3Client;

  constructor(options: S3Options) {
    const { endpoint, region, secret } = options;
    this.#options = options;
    this.#client = new S3Client({
      region,
      maxAttempts: ATTEMPTS,
      requestHandler: { requestTimeout: ANSWER_MS, connectionTimeout: 10_000, ...trustOf(secret) },
      // Not every store knows the newer checksums; the signature covers the body anyway.
      requestChecksumCalculation: "WHEN_REQUIRED",
      // Read again for each store that is opened, so that rotated keys work without a restart.
      credentials: async () => ({
        accessKeyId: await readKey(secret, "AWS_ACCESS_KEY_ID"),
        secretAccessKey: await readKey(secret, "AWS_SECRET_ACCESS_KEY"),
      }),
      // Stores of one's own seldom have a DNS name for each bucket.
      ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    });
  }

  async put(name: string, file: string): Promise<void> {
    await this.#try("write", name, async () => {
      // As a whole: a server that refuses a stream may close it before its answer is read.
      await this.#client.send(new PutObjectCommand({ ...this.#place(name), Body: await readFile(file) }));
    });
  }

  async publish(staged: string, name: string): Promise<void> {
    const { Bucket, Key } = this.#place(staged);
    const CopySource = `${Bucket}/${Key}`.split("/").map(encodeURIComponent).join("/");
    try {
      await this.#client.send(new CopyObjectCommand({ ...this.#place(name), CopySource }));
    } catch (error) {
      if (!isMissing(error)) throw this.#problem("publish", name, error);
      await this.#try("find what was published as", name, async () => {
        await this.#client.send(new HeadObjectCommand(this.#place(name)));
      });
    }
    await this.remove(staged);
  }

  async remove(name: string): Promise<void> {
    await this.#try("remove", name, async () => {
      await this.#client.send(new DeleteObjectCommand(this.#place(name)));
    });
  }

  async list(start: string): Promise<readonly string[]> {
    const { prefix } = this.#options;
    const { Bucket, Key: Prefix } = this.#place(start);
    const names: string[] = [];
    await this.#try("list", start, async () => {
      for await (const { Contents = [] } of paginateListObjectsV2({ client: this.#client }, { Bucket, Prefix }))
        for (const { Key } of Contents) if (Key !== undefined) names.push(Key.slice(prefix.length));
    });
    return names;
  }

  close(): void {
    this.#client.destroy();
  }

  #place(name: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#options.bucket, Key: this.#options.prefix + name };
  }

  async #try(doing: string, name: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      throw this.#problem(doing, name, error);
    }
  }

  #problem(doing: string, name: string, error: unknown): FilesRefused | FilesUnavailable {
    if (error instanceof FilesRefused) return error;
    const { bucket, prefix, secret } = this.#options;
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    const status = statusOf(error);
    const refused = status !== undefined && status >= 400 && status < 500 && status !== 408 && status !== 429;
    const Problem = refused ? FilesRefused : FilesUnavailable;
    const advice = refused ? `: correct the credentials of ${secret}, their rights, or the bucket` : "";
    return new Problem(`${doing} s3://${bucket}/${prefix}${name}: ${text}${advice}`, { cause: error });
  }
}

/** Read again for each store that is opened: an authority that signs the store's certificate, and is not among the system's. */
function trustOf(folder: string): { readonly httpsAgent?: { readonly ca: string } } {
  const file = join(folder, "ca.crt");
  return existsSync(file) ? { httpsAgent: { ca: readFileSync(file, "utf8") } } : {};
}

async function readKey(folder: string, key: string): Promise<string> {
  try {
    return (await readFile(join(folder, key), "utf8")).trim();
  } catch (error) {
    throw new FilesRefused(`${folder}, with which to log in to the store, has no readable key ${key}: add it`, {
      cause: error,
    });
  }
}

function statusOf(error: unknown): number | undefined {
  return (error as { readonly $metadata?: { readonly httpStatusCode?: number } } | undefined)?.$metadata
    ?.httpStatusCode;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && (error.name === "NoSuchKey" || error.name === "NotFound");
}
