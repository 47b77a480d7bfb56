/** One class per outcome; each message says what happened and what to do about it. */
export abstract class ClusterError extends Error {
  abstract readonly code: string;
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** A program that we started ended with an error. */
export class CommandFailed extends ClusterError {
  readonly code = "COMMAND_FAILED";
  readonly exitCode: number | null;
  readonly output: string;
  constructor(commandLine: string, exitCode: number | null, output: string) {
    const tail = output.trimEnd().split("\n").slice(-15).join("\n");
    super(`\`${commandLine}\` ended with ${exitCode === null ? "a signal" : `code ${exitCode}`}:\n${tail}`);
    this.exitCode = exitCode;
    this.output = output;
  }
}

/** A program that we need is not on this host and we cannot get it. */
export class ToolMissing extends ClusterError {
  readonly code = "TOOL_MISSING";
}

/** This host cannot run the cluster at all (no root, no Linux, a missing kernel feature). */
export class HostUnfit extends ClusterError {
  readonly code = "HOST_UNFIT";
}

/** Something did not become ready in its time. */
export class NotReadyInTime extends ClusterError {
  readonly code = "NOT_READY_IN_TIME";
}

/** Another process holds a lock for longer than we wait. */
export class Locked extends ClusterError {
  readonly code = "LOCKED";
}

/** The command line asks for what does not exist. */
export class UsageError extends ClusterError {
  readonly code = "USAGE";
}

/** A command needs a running cluster, and there is none. */
export class NoCluster extends ClusterError {
  readonly code = "NO_CLUSTER";
}

/** The current sources do not compile, so that the cluster has not got their images. */
export class StaleImages extends ClusterError {
  readonly code = "STALE_IMAGES";
}
