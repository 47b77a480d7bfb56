/** A line of items by tenant: each tenant's first comes in turn, so that a thousand of one delay another by one. */
export class FairLine<T> {
  /** In the order of their turns. */
  readonly #tenants = new Map<string, Set<T>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Adds an item at the end of its tenant's line; one that waits already keeps its place. */
  add(tenant: string, item: T): void {
    let items = this.#tenants.get(tenant);
    if (items === undefined) {
      items = new Set();
      this.#tenants.set(tenant, items);
    }
    if (items.has(item)) return;
    items.add(item);
    this.#size++;
  }

  /** Takes the next item. @param may whether it is this tenant's turn; others keep their places */
  take(may: (tenant: string) => boolean = () => true): T | undefined {
    for (const [tenant, items] of this.#tenants) {
      if (!may(tenant)) continue;
      for (const item of items) {
        items.delete(item);
        this.#size--;
        this.#tenants.delete(tenant);
        if (items.size > 0) this.#tenants.set(tenant, items);
        return item;
      }
    }
    return undefined;
  }

  clear(): void {
    this.#tenants.clear();
    this.#size = 0;
  }
}
