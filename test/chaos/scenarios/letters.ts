/** Dead letters as they are in the log, and those that have to be there. */
import type { LoggedRecord, Topic } from "../../engine/aggregator/topic.ts";
import { EXPECTED_REASON } from "../load.ts";
import type { ExpectedLetter, Letter } from "../src/laws.ts";

/** Tombstones are poison too: those that end the log. */
export function isPoison({ headers, value }: LoggedRecord): boolean {
  return value === null || headers[EXPECTED_REASON] !== undefined;
}

export function poisonOf(records: readonly LoggedRecord[]): ExpectedLetter[] {
  return records.filter(isPoison).map(({ partition, offset, headers, value }) => {
    return { partition, offset, value, reason: headers[EXPECTED_REASON] ?? "Tombstone" };
  });
}

/** The dead-letter topic's own seal has no origin. */
export async function lettersOf(deadLetters: Topic): Promise<Letter[]> {
  const records = await deadLetters.readTo(await deadLetters.seal());
  return records.flatMap(({ headers, value }) => {
    if (headers["caudal-offset"] === undefined) return [];
    return [
      {
        topicId: headers["caudal-topic-id"] ?? "",
        partition: Number(headers["caudal-partition"]),
        offset: Number(headers["caudal-offset"]),
        reason: headers["caudal-reason"] ?? "",
        tables: headers["caudal-tables"]?.split(",") ?? [],
        value,
      },
    ];
  });
}
