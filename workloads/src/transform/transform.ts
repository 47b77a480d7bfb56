/** The role: filters events, computes new ones from each, and writes them to its outputs. */
import { ConfigInvalid } from "../runtime/errors.ts";
import type { Role } from "../runtime/role.ts";

export const transformRole: Role = {
  run: async () => await Promise.reject(new ConfigInvalid("this release has no transforms yet: remove the stage")),
};
