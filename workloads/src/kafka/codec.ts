/** Decompression of record batches. All codecs come from kept libraries: node:zlib, and those that @platformatic/kafka brings. */
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { compressionsAlgorithmsByBitmask } from "@platformatic/kafka";
import { describeError } from "../runtime/errors.ts";
import { CorruptBatch, FormatUnsupported } from "./errors.ts";

/** A batch that is larger than this when unpacked is refused: it would take the process's memory. Clients make them of 1 MB. */
export const MAX_UNPACKED_BYTES = 64 * 1024 * 1024;

const names = ["none", "gzip", "snappy", "lz4", "zstd"] as const;

/**
 * @param codec the low three bits of a batch's attributes
 * @throws FormatUnsupported for an unknown codec, CorruptBatch when the bytes do not unpack
 */
export function decompress(codec: number, packed: Buffer): Buffer {
  const name = names[codec];
  try {
    switch (name) {
      case "none":
        return packed;
      case "gzip":
        return gunzipSync(packed, { maxOutputLength: MAX_UNPACKED_BYTES });
      case "zstd":
        return zstdDecompressSync(packed, { maxOutputLength: MAX_UNPACKED_BYTES });
      case "snappy":
      case "lz4": {
        // Snappy comes both raw and in the frames of the Java library; lz4 in its standard frames.
        const algorithm = compressionsAlgorithmsByBitmask[codec];
        if (algorithm === undefined) break;
        return withinLimit(name, algorithm.decompressSync(packed));
      }
      case undefined:
        break;
    }
  } catch (error) {
    if (error instanceof FormatUnsupported) throw error;
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") throw tooLarge(name, error);
    throw new CorruptBatch(`a ${name} batch does not unpack: ${describeError(error)}`, { cause: error });
  }
  throw new FormatUnsupported(`records are compressed with codec ${codec}, which is none of ${names.join(", ")}`);
}

/** These libraries have no bound of their own; what they can make of a batch is at most 255 times its length. */
function withinLimit(name: string, unpacked: Buffer): Buffer {
  if (unpacked.length > MAX_UNPACKED_BYTES) throw tooLarge(name);
  return unpacked;
}

function tooLarge(name: string | undefined, cause?: unknown): FormatUnsupported {
  return new FormatUnsupported(
    `a ${name} batch unpacks to more than ${MAX_UNPACKED_BYTES} bytes: have its producer write smaller batches (batch.size)`,
    { cause },
  );
}
