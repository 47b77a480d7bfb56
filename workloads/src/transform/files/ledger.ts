/**
 * The files of an output in PostgreSQL: begun, then committed together with progress, then published and forgotten.
 *
 * A file that is begun is nobody's yet. The commit takes it only while its row is there, so that whoever takes a
 * partition over removes these rows first, and knows that what they stand for will never be.
 */
import { Connection, type CallObserver, type Statement } from "../../postgres/connection.ts";
import type { Owner } from "../../postgres/core/table-decision.ts";
import {
  compareAndMove,
  forgetLostTopics,
  insertFirstProgress,
  type MoveScope,
  readProgress,
} from "../../postgres/progress.ts";
import { ProgressMoved } from "../../postgres/errors.ts";
import { migrate } from "../../postgres/schema.ts";
import type { OutputMove, Source } from "../output.ts";
import { FilesRefused } from "./errors.ts";

export interface LedgerFile {
  readonly id: string;
  readonly partition: number;
  /** Name under which it is published. */
  readonly name: string;
}

export interface FileLedgerOptions {
  /** Folder of the database's secret. */
  readonly secret: string;
  readonly owner: Owner;
  /** Name of the progress, `<stage>/<output>`. */
  readonly output: string;
  readonly plan: string;
  readonly onCall: CallObserver;
}

export class FileLedger {
  readonly #options: FileLedgerOptions;
  readonly #connection: Connection;
  #incarnation = "";

  private constructor(options: FileLedgerOptions, connection: Connection) {
    this.#options = options;
    this.#connection = connection;
  }

  static async open(options: FileLedgerOptions): Promise<FileLedger> {
    const { secret, owner, onCall } = options;
    const applicationName = `caudal ${owner.pipeline} ${owner.stage} files`;
    const connection = await Connection.open({ secret, applicationName, onCall });
    try {
      await migrate(connection);
      const ledger = new FileLedger(options, connection);
      await connection.inTransaction("claim files", async () => await ledger.#claim());
      return ledger;
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  get lost(): boolean {
    return this.#connection.lost;
  }

  /** As {@link Connection.check}. */
  check(): void {
    this.#connection.check();
  }

  /** What tells this claim from one that was made anew. */
  get incarnation(): string {
    return this.#incarnation;
  }

  /** Where progress of this definition stands, by partition. */
  async stored(source: Source, partitions: readonly number[]): Promise<ReadonlyMap<number, number>> {
    const { owner, output, plan } = this.#options;
    const rows = await readProgress(this.#connection, owner, source.topic, [output], partitions);
    const own = rows.filter((row) => row.plan === plan && row.uid === owner.uid && row.topicId === source.topicId);
    return new Map(own.map(({ partition, nextOffset }) => [partition, nextOffset]));
  }

  /** Progress of the partitions, inserted where there is none. */
  async progress(source: Source, starts: ReadonlyMap<number, number>) {
    const { owner, output, plan } = this.#options;
    const claim = this.#claimName;
    const first = [...starts].map(([partition, offset]) => ({ output, plan, partition, offset, claim }));
    await forgetLostTopics(this.#connection, this.#scope(source), [output], [...starts.keys()]);
    await insertFirstProgress(this.#connection, this.#scope(source), first);
    const progress = await readProgress(this.#connection, owner, source.topic, [output], [...starts.keys()]);
    if (progress.length < starts.size)
      throw new ProgressMoved(`output ${output} is not claimed any more: looking again`);
    return progress;
  }

  /** Stores that these files are about to be written. */
  async begin(source: Source, files: readonly LedgerFile[]): Promise<void> {
    await this.#connection.query("begin files", {
      name: "begin files",
      text: `insert into caudal.files (id, pipeline, output, topic, partition, name)
        select id, $1, $2, $3, partition, name from unnest($4::uuid[], $5::int[], $6::text[]) as f(id, partition, name)`,
      values: [
        ...this.#place(source),
        files.map(({ id }) => id),
        files.map(({ partition }) => partition),
        files.map(({ name }) => name),
      ],
    });
  }

  /**
   * Moves progress and makes the files count, in one transaction.
   *
   * @throws ProgressMoved when someone else has the partition now; DatabaseUnavailable when the outcome is not known
   */
  async commit(source: Source, moves: readonly OutputMove[], files: readonly LedgerFile[]): Promise<void> {
    const { output, plan } = this.#options;
    const progress = moves.map((move) => ({ ...move, output, plan, maxEventTime: null }));
    const commitFiles: Statement = {
      name: "commit files",
      text: "select caudal.commit_files($1)",
      values: [files.map(({ id }) => id)],
    };
    const statements = [compareAndMove(this.#scope(source), progress), ...(files.length === 0 ? [] : [commitFiles])];
    await this.#connection.transaction("commit", statements);
  }

  /** Files that are committed and not yet known to be published. */
  async committed(source: Source, partitions: readonly number[]): Promise<readonly LedgerFile[]> {
    const { rows } = await this.#connection.query<{ id: string; partition: number; name: string }>("committed files", {
      text: `select id, partition, name from caudal.files
        where pipeline = $1 and output = $2 and topic = $3 and partition = any($4::int[]) and committed
        order by name`,
      values: [...this.#place(source), partitions],
    });
    return rows;
  }

  /** Forgets files that were begun and not committed: from now on nobody can commit them. @returns them */
  async abandon(source: Source, partitions: readonly number[]): Promise<readonly { readonly id: string }[]> {
    const { rows } = await this.#connection.query<{ id: string }>("abandon files", {
      text: `delete from caudal.files
        where pipeline = $1 and output = $2 and topic = $3 and partition = any($4::int[]) and not committed
        returning id`,
      values: [...this.#place(source), partitions],
    });
    return rows;
  }

  /** Forgets files that are published. */
  async published(files: readonly LedgerFile[]): Promise<void> {
    await this.#connection.query("published files", {
      name: "published files",
      text: "delete from caudal.files where id = any($1::uuid[]) and committed",
      values: [files.map(({ id }) => id)],
    });
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  /**
   * A pipeline that was made again under its name goes on with another uid, and the uid before it is retired for good.
   *
   * @throws FilesRefused when this one is retired, or the files are of another definition
   */
  async #claim(): Promise<void> {
    const { owner, output, plan } = this.#options;
    const name = this.#claimName;
    const query = async (text: string, values: readonly unknown[]) =>
      await this.#connection.query<{
        uid: string;
        plan: string;
        retired_uids: string[];
        claimed_at: string;
      }>("claim files", {
        text,
        values,
      });
    await query(
      `insert into caudal.claims (table_name, pipeline, stage, uid, plan) values ($1, $2, $3, $4, $5)
        on conflict do nothing`,
      [name, owner.pipeline, owner.stage, owner.uid, plan],
    );
    const { rows } = await query(
      "select uid, plan, retired_uids, claimed_at::text from caudal.claims where table_name = $1 for update",
      [name],
    );
    const [claim] = rows;
    if (claim === undefined || claim.retired_uids.includes(owner.uid))
      throw new FilesRefused(
        `a pipeline ${owner.pipeline} with uid ${claim?.uid} has taken the place of this one, which has ${owner.uid}`,
      );
    if (claim.plan !== plan)
      throw new FilesRefused(
        `output ${output} has written files of another format or path: put it back, or give the output another name, under which the topic is read from its beginning`,
      );
    this.#incarnation = claim.claimed_at;
    if (claim.uid === owner.uid) return;
    await query(
      "update caudal.claims set uid = $2, retired_uids = array_append(retired_uids, uid), claimed_at = now() where table_name = $1",
      [name, owner.uid],
    );
    await query("update caudal.progress set uid = $3 where pipeline = $1 and output = $2", [
      owner.pipeline,
      output,
      owner.uid,
    ]);
  }

  get #claimName(): string {
    const { owner, output } = this.#options;
    return `${owner.pipeline}/${output}`;
  }

  #place({ topic }: Source): readonly [string, string, string] {
    const { owner, output } = this.#options;
    return [owner.pipeline, output, topic];
  }

  #scope({ topic, topicId, lost }: Source): MoveScope {
    return { owner: this.#options.owner, topic, topicId, lost };
  }
}
