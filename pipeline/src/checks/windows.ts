/** Durations against each other. */
import { DurationError, parseDuration, type Window } from "@caudal/crds";
import type { Check } from "./check.ts";

const LONGEST_WINDOW_MS = 3660 * 86_400_000;

export const windowsFit: Check = ({ pipeline }) =>
  (pipeline.spec.aggregators ?? []).flatMap(({ name, tables }) =>
    tables.flatMap((table) => {
      const where = `spec.aggregators[${name}].tables[${table.name}].window`;
      const problem = windowProblem(table.window);
      return problem === undefined ? [] : { reason: "WindowInvalid", message: `${where}: ${problem}` };
    }),
  );

function windowProblem({ tumbling, hopping, session }: Window): string | undefined {
  try {
    if (session !== undefined && parseDuration(session.gap) > LONGEST_WINDOW_MS)
      return `a gap of ${session.gap} is too long: write at most 3660d`;
    if (session !== undefined) return undefined;
    const size = parseDuration((tumbling ?? hopping)?.size ?? "");
    if (size > LONGEST_WINDOW_MS)
      return `a window of ${(tumbling ?? hopping)?.size ?? ""} is too long: write at most 3660d`;
    if (hopping === undefined || parseDuration(hopping.advance) <= size) return undefined;
    return `advance ${hopping.advance} exceeds size ${hopping.size}, so that events between windows would be lost: write an advance of at most ${hopping.size}`;
  } catch (error) {
    // What is no duration is told of every duration.
    if (error instanceof DurationError) return undefined;
    throw error;
  }
}
