/** Why a workload's process ended, as its exit code. */
export const ExitCode = {
  /** Asked to stop, and everything in hand was finished first. */
  Drained: 0,
  /** An error that no part of Caudal expected: a bug, or a resource that ran out. */
  Unexpected: 1,
  /** The command line or the configuration is not valid; starting again will not help until it is changed. */
  BadConfig: 2,
  /** Asked to stop, and the deadline passed first. Nothing is lost or counted twice: the work is done again. */
  DrainDeadline: 3,
  /** Stopped by an error that needs a person: the message in status and log says what to do. */
  NeedsPerson: 4,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];
