/** What is wrong with the spec; the message says what to write instead. */
export interface Problem {
  readonly reason: string;
  readonly message: string;
}
