/** A table that is changed at random, and beside it what its own trigger notes of every change. */
import { setTimeout as sleep } from "node:timers/promises";
import { startWriters } from "../../engine/source/writers.ts";
import type { Database, Postgres } from "../../engine/postgres.ts";
import { Dice } from "../src/dice.ts";
import type { CustomersRound } from "../src/schedule.ts";

/**
 * Each version of a row has a number. Rows whose `points` are NaN do not fit the topics' fields. `changed` is for
 * timestamp mode; `happened` is the event time, some days back.
 */
const DDL = `create table customers (
    id int primary key, change int not null, name text, points double precision, happened timestamptz not null,
    changed timestamptz not null);
  create index on customers (changed, id);
  create sequence changes;
  create table notes (
    n bigserial, id int not null, op text not null, change int, bad boolean not null, xid xid8 default pg_current_xact_id());
  create function note() returns trigger language plpgsql as $$
    declare whole constant boolean := (select relreplident = 'f' from pg_class where oid = 'customers'::regclass);
    begin
      if tg_op = 'DELETE' or (tg_op = 'UPDATE' and old.id <> new.id) then
        insert into notes (id, op, change, bad)
          values (old.id, 'delete', case when whole then old.change end, whole and coalesce(old.points = 'NaN', false));
      end if;
      if tg_op <> 'DELETE' then
        insert into notes (id, op, change, bad) values (new.id, 'row', new.change, coalesce(new.points = 'NaN', false));
      end if;
      return null;
    end $$;
  create trigger note after insert or update or delete on customers for each row execute function note()`;

/** The row that is changed last: when it has come, all before it has. */
const MARKER = 0;
const KEYS = 400;
/** Rows of one transaction, on average, and sessions that run them. */
const ROWS = 2.5;
const SESSIONS = 3;

export interface Note {
  readonly id: number;
  readonly op: "row" | "delete";
  readonly change: number | null;
  readonly bad: boolean;
  readonly xid: string;
}

export class CustomersTable {
  readonly #at: { readonly server: Postgres; readonly database: Database };
  readonly #round: CustomersRound;
  readonly #dice: Dice;
  #written = 0;

  constructor(at: { readonly server: Postgres; readonly database: Database }, round: CustomersRound) {
    this.#at = at;
    this.#round = round;
    this.#dice = new Dice(round.seed, "customers");
  }

  /** Rows that were changed, those of transactions that were rolled back among them. */
  get written(): number {
    return this.#written;
  }

  async make(): Promise<void> {
    const { database } = this.#at;
    await database.query(DDL);
    if (this.#round.wholeRows) await database.query("alter table customers replica identity full");
    await database.query(
      `insert into customers select n, nextval('changes'), 'old', n % 100, now() - interval '3 days', now() - interval '1 hour'
        from generate_series(0, $1::int) n`,
      [this.#round.rows],
    );
  }

  /** Changes rows at the round's rate until its time is over and the faults are. */
  async write(faults: Promise<unknown>): Promise<void> {
    const writers = startWriters(
      this.#at,
      async (client) => {
        const rows = this.#dice.whole(1, 4);
        for (let row = 0; row < rows; row++) {
          const undone = this.#dice.chance(0.15);
          await client.query("savepoint s");
          await client.query(...this.#change());
          await client.query(undone ? "rollback to savepoint s" : "release savepoint s");
          this.#written++;
        }
        await sleep(this.#dice.gap((SESSIONS * ROWS * 1000) / this.#round.eventsPerSecond));
      },
      () => this.#dice.chance(0.1),
    );
    try {
      await Promise.all([sleep(this.#round.seconds * 1000), faults]);
    } finally {
      await writers.end();
    }
  }

  /** @returns the number of the last version of all */
  async mark(): Promise<number> {
    const [row] = await this.#at.database.query<{ change: number }>(
      "update customers set change = nextval('changes'), points = null, changed = clock_timestamp() where id = $1 returning change",
      [MARKER],
    );
    return row?.change ?? 0;
  }

  async notes(): Promise<Note[]> {
    return await this.#at.database.query<Note & Record<string, unknown>>(
      "select id, op, change, bad, xid::text from notes order by n",
    );
  }

  async rows(): Promise<{ readonly id: number; readonly change: number; readonly bad: boolean }[]> {
    return await this.#at.database.query("select id, change, coalesce(points = 'NaN', false) as bad from customers");
  }

  #change(): [string, unknown[]] {
    const id = this.#dice.whole(1, KEYS);
    const points = this.#dice.chance(0.2) ? null : this.#dice.chance(0.03) ? NaN : this.#dice.whole(0, 20) / 2;
    const days = this.#dice.whole(0, 3);
    const luck = this.#dice.unit();
    // More than goes into one transaction of Kafka.
    if (luck < 0.0005)
      return [
        `insert into customers select n, nextval('changes'), 'many', $1, now(), now() from generate_series(1001, 4000) n
          on conflict (id) do update set change = excluded.change, points = excluded.points, changed = clock_timestamp()`,
        [points],
      ];
    if (luck < 0.15) return ["delete from customers where id = $1", [id]];
    if (luck < 0.25)
      return [
        `update customers set id = $2, change = nextval('changes'), changed = clock_timestamp()
          where id = $1 and not exists (select from customers where id = $2)`,
        [id, this.#dice.whole(1, KEYS)],
      ];
    return [
      `insert into customers values ($1, nextval('changes'), $2, $3, now() - $4 * interval '1 day', now())
        on conflict (id) do update set change = excluded.change, name = excluded.name, points = excluded.points,
          happened = excluded.happened, changed = clock_timestamp()`,
      [id, `name ${this.#dice.whole(0, 999)}`, points, days],
    ];
  }
}

/** A change as it is called in the laws. */
export function labelOf(op: Note["op"], change: number | null): string {
  return [op, ...(change === null ? [] : [change])].join(" ");
}
