/** The source: sends the rows of a table, and their changes, to a topic. */
import { ConfigInvalid } from "../runtime/errors.ts";
import type { Role } from "../runtime/role.ts";

export const sourceRole: Role = {
  run: () => Promise.reject(new ConfigInvalid("this release has no sources yet")),
};
