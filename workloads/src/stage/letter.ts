import type { OriginalRecord } from "../kafka/record-block.ts";

/** A record for the dead-letter topic. */
export interface Letter {
  readonly partition: number;
  readonly record: OriginalRecord;
  readonly reason: string;
  readonly detail: string;
  /** Of a late event: the tables whose window was closed. */
  readonly tables?: readonly string[];
}

/** Memory that a letter takes, about. */
export function letterBytes({ record }: Letter): number {
  return 512 + (record.key?.length ?? 0) + (record.value?.length ?? 0);
}
