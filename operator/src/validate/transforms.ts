/** What of transforms this release can do. */
import type { Check } from "./check.ts";

export const transformsAreServed: Check = ({ pipeline }) =>
  (pipeline.spec.transforms ?? []).map(({ name }) => ({
    reason: "NotInThisRelease",
    message: `spec.transforms[${name}]: this release has no transforms yet: remove it, and use an aggregator's where`,
  }));
