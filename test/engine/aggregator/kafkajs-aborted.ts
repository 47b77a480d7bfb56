/**
 * Committed reads of kafkajs 2.2.4 take the broker's list of aborted transactions to be in the order in which these have
 * begun (its consumer/filterAbortedMessages.js), and it is in that in which they have ended: where a long one surrounds a
 * short one, records of the long one come through. This puts the list in order as it is decoded.
 */
import { createRequire } from "node:module";

interface Decoded {
  readonly responses: readonly {
    readonly partitions: readonly { readonly abortedTransactions?: { readonly firstOffset: string }[] }[];
  }[];
}

const require = createRequire(import.meta.url);

/** Versions of the fetch request that have the list. */
for (let version = 4; version <= 11; version++) {
  const response = require(`kafkajs/src/protocol/requests/fetch/v${version}/response.js`) as {
    decode: (bytes: unknown) => Promise<Decoded>;
  };
  const { decode } = response;
  response.decode = async (bytes) => {
    const decoded = await decode(bytes);
    for (const { partitions } of decoded.responses)
      for (const { abortedTransactions } of partitions)
        abortedTransactions?.sort((a, b) => Number(a.firstOffset) - Number(b.firstOffset));
    return decoded;
  };
}
