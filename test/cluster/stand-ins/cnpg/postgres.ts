import { Client } from "pg";
import { port } from "./core/build.ts";

/** One connection as superuser, with a time limit on everything. */
export class Superuser {
  readonly #client: Client;

  private constructor(client: Client) {
    this.#client = client;
  }

  /** Connects to the primary's `postgres` database. */
  static async open(host: string, password: string): Promise<Superuser> {
    const client = new Client({
      host,
      port,
      user: "postgres",
      database: "postgres",
      password,
      application_name: "caudal-stand-ins",
      connectionTimeoutMillis: 3_000,
      query_timeout: 20_000,
      statement_timeout: 15_000,
    });
    client.on("error", () => undefined); // the next query fails with it, and says so
    await client.connect();
    return new Superuser(client);
  }

  async close(): Promise<void> {
    await this.#client.end();
  }

  async run(statements: readonly string[]): Promise<void> {
    for (const statement of statements) await this.#client.query(statement);
  }

  async databaseExists(name: string): Promise<boolean> {
    const { rowCount } = await this.#client.query("select from pg_catalog.pg_database where datname = $1", [name]);
    return rowCount === 1;
  }

  /** The roles that a role is a member of; undefined when there is no such role. */
  async membershipsOf(name: string): Promise<string[] | undefined> {
    const { rows } = await this.#client.query<{ member_of: string[] }>(
      `select coalesce(array_agg(pg_catalog.pg_get_userbyid(m.roleid)::text order by 1)
                filter (where m.roleid is not null), '{}') as member_of
       from pg_catalog.pg_roles r left join pg_catalog.pg_auth_members m on m.member = r.oid
       where r.rolname = $1 group by r.oid`,
      [name],
    );
    return rows[0]?.member_of;
  }
}
