/** Reads tables of PostgreSQL whole, as texts, for lookups. */
import type { LookupConfig } from "@caudal/crds";
import type { LookupPlan } from "@caudal/pipeline/sql";
import { Connection } from "../postgres/connection.ts";
import { identifier, placeOf, qualified } from "../postgres/core/identifiers.ts";
import { DatabaseError } from "../postgres/errors.ts";
import { callObserver } from "../postgres/session.ts";
import { WorkloadError } from "../runtime/errors.ts";
import type { RuntimeContext } from "../runtime/role.ts";
import { LookupInvalid } from "./lookup-tables.ts";

/** The table cannot be read: why, as the database says it. */
export class LookupUnreadable extends WorkloadError {
  readonly code = "ELOOKUPUNREADABLE";
  readonly reason: string;
  readonly retryable: boolean;

  constructor(plan: LookupPlan, config: LookupConfig, cause: DatabaseError) {
    const advice = cause.message.includes("SQLSTATE 42501")
      ? `: grant select on ${config.table}, and usage on its schema, to the user of ${config.secret}`
      : "";
    super(
      `lookup ${plan.name}: table ${config.table} cannot be read with ${config.secret}: ${cause.message}${advice}`,
      {
        cause,
      },
    );
    this.reason = cause.reason;
    this.retryable = cause.retryable;
  }
}

const STATEMENT_MS = 30_000;

/** Reads the tables of a stage: those of one database one after the other, over a connection that stays open. */
export class TableReader {
  readonly #context: Pick<RuntimeContext, "metrics" | "config">;
  readonly #connections = new Map<string, Promise<Connection>>();

  constructor(context: Pick<RuntimeContext, "metrics" | "config">) {
    this.#context = context;
  }

  /** @throws LookupInvalid when the table has too many rows; LookupUnreadable when the database does not give them */
  async read(plan: LookupPlan, config: LookupConfig): Promise<string> {
    const values = [...plan.on.map(({ column }) => column), ...plan.columns.map((column) => column.name)];
    const list = values.map((column) => `${identifier(column)}::text`).join(", ");
    try {
      const connection = await this.#connection(config.secret);
      const { rows } = await connection.query<{ count: string; rows: string }>("read lookup", {
        text: `select count(*) as count, coalesce(json_agg(r.row)::text, '[]') as rows
          from (select json_build_array(${list}) as row from ${qualified(placeOf(config.table))}
            limit ${config.maxRows + 1}) as r`,
      });
      const [all] = rows;
      if (Number(all?.count) > config.maxRows)
        throw new LookupInvalid(
          `lookup ${plan.name}: table ${config.table} has more than ${config.maxRows} rows: raise maxRows, for they are held in memory, or name a view with fewer`,
        );
      return all?.rows ?? "[]";
    } catch (error) {
      throw error instanceof DatabaseError ? new LookupUnreadable(plan, config, error) : error;
    }
  }

  async close(): Promise<void> {
    const opened = [...this.#connections.values()];
    this.#connections.clear();
    await Promise.all(opened.map(async (opening) => await (await opening.catch(() => undefined))?.close()));
  }

  /** One that was lost, or could not be opened, is opened anew: with the Secret as it is now. */
  async #connection(secret: string): Promise<Connection> {
    const known = this.#connections.get(secret);
    const anew = async (): Promise<Connection> => await this.#open(secret);
    const connection = known?.then(async (open) => (open.lost ? await anew() : open), anew) ?? anew();
    this.#connections.set(secret, connection);
    return await connection;
  }

  async #open(secret: string): Promise<Connection> {
    const { metrics, config } = this.#context;
    return await Connection.open({
      secret,
      applicationName: `caudal ${config.pipeline.namespace}/${config.pipeline.name} ${config.stage.name} lookups`,
      onCall: callObserver(metrics),
      statementTimeoutMs: STATEMENT_MS,
    });
  }
}
