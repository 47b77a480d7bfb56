/** A record that would go to a dead-letter topic. */
export interface Letter {
  readonly stage: string;
  /** Where the record is, such as `events.jsonl:12`. */
  readonly place: string;
  readonly reason: string;
  readonly detail: string;
  /** Of a late event: the tables that it missed. */
  readonly tables: readonly string[];
  readonly value: Buffer | null;
}
