/** Puts what was measured into a page, between marks that stay. Pure. */
import { BenchFailed } from "../errors.ts";

export type Section = "throughput" | "latency" | "generator" | "growth" | "transform" | "small";

/**
 * The page with new text in its section `<!-- bench:NAME -->` … `<!-- bench:end -->`.
 *
 * @throws BenchFailed when the page has no such marks
 */
export function withSection(page: string, section: Section, text: string): string {
  const begin = `<!-- bench:${section} -->`;
  const end = "<!-- bench:end -->";
  const from = page.indexOf(begin);
  const to = page.indexOf(end, from);
  if (from < 0 || to < 0) throw new BenchFailed(`the page has no section ${begin} … ${end}: put both marks into it`);
  return `${page.slice(0, from + begin.length)}\n\n${text.trim()}\n\n${page.slice(to)}`;
}
