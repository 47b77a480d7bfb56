/** The kernels of a process: one for each set of tables that stand together, kept as long as the process. */
import type { Kernel } from "../kernel/kernel.ts";
import type { TablePlan } from "@caudal/pipeline/sql";

export class Kernels {
  readonly #open: (tables: readonly TablePlan[]) => Promise<Kernel>;
  readonly #kernels = new Map<string, Kernel>();

  constructor(open: (tables: readonly TablePlan[]) => Promise<Kernel>) {
    this.#open = open;
  }

  async get(tables: readonly TablePlan[]): Promise<Kernel> {
    const key = tables.map(({ name }) => name).join(" ");
    const known = this.#kernels.get(key);
    if (known !== undefined) return known;
    const opened = await this.#open(tables);
    this.#kernels.set(key, opened);
    return opened;
  }

  /** Closes all: nothing of them is wanted any more. */
  async close(): Promise<void> {
    const open = [...this.#kernels.values()];
    this.#kernels.clear();
    for (const kernel of open) await kernel.close();
  }
}
