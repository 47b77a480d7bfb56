import { ClusterError } from "../cluster/host/errors.ts";

/** A measurement that did not come to its end; the message says where it stopped and what to look at. */
export class BenchFailed extends ClusterError {
  readonly code = "BENCH_FAILED";
}
