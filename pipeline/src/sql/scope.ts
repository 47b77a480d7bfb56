/** What the SQL of one stage is bound against: the event's fields, the functions, and the problems found so far. */
import { readPlan, serializedPlan } from "./bound-plan.ts";
import { checkConstants } from "./constants.ts";
import { admitMacros, checkKinds, type Functions, givesRows, readFields } from "./determinism.ts";
import type { DuckDB } from "./duckdb.ts";
import { checkExactJson, exactJson, readLambdaFunctions } from "./exact-json.ts";
import { fieldSql, quote } from "./quote.ts";
import { describeSqlError, SqlError, type SqlProblem } from "./sql-error.ts";
import { jsonPath } from "./sql-hints.ts";
import {
  changedExpression,
  type Expression,
  type Node,
  parseExpression,
  PREFIX,
  printNode,
  printPart,
  SyntaxProblem,
} from "./syntax.ts";
import type { LookupPlan } from "./transform-plan.ts";

export interface Bound {
  /** In DuckDB's own spelling. */
  readonly sql: string;
  readonly duckdbType: string;
  /** Fields that it reads, in the topic's order. */
  readonly fields: readonly string[];
  readonly node: Node;
  /** Names of the lookups that it reads. */
  readonly lookups: readonly string[];
}

const DESCRIBE = "describe ";
/** Operators of a plan that give one row for one event. */
const ONE_ROW = new Set(["LOGICAL_PROJECTION", "LOGICAL_GET", "LOGICAL_DUMMY_SCAN"]);
const MAY_READ_JSON = /json|"->|lambda/i;
const AGGREGATE = "LOGICAL_AGGREGATE_AND_GROUP_BY";

export class Scope {
  readonly problems: SqlProblem[] = [];
  readonly functions: Functions;
  readonly #duckdb: DuckDB;
  readonly #fields: readonly string[];
  readonly #lookups: ReadonlySet<string>;
  readonly #hasJson: boolean;
  /** Names of fields and of lookups' columns that SQL takes in double quotes alone. */
  readonly #quotable: readonly string[];

  /** @param fields of the table `event` in that database, and structs in it @param hasJson whether one of them is JSON */
  constructor(
    duckdb: DuckDB,
    functions: Functions,
    fields: readonly string[],
    lookups: readonly LookupPlan[] = [],
    hasJson = false,
  ) {
    this.#duckdb = duckdb;
    this.#hasJson = hasJson;
    this.functions = functions;
    this.#fields = fields;
    this.#lookups = new Set(lookups.map(({ name }) => name));
    const names = [...fields, ...lookups.flatMap(({ columns }) => columns.map(({ name }) => name))];
    this.#quotable = names.filter((name) => fieldSql(name) !== name);
  }

  /** Functions that take a lambda. */
  #lambdas: ReadonlySet<string> | undefined;

  /** Runs one step of compiling; an SqlError becomes a problem at `path`, and the result undefined. */
  async attempt<T>(path: string, step: () => T | Promise<T>): Promise<T | undefined> {
    try {
      return await step();
    } catch (error) {
      if (!(error instanceof SqlError)) throw error;
      this.problems.push({ path, message: error.message });
      return undefined;
    }
  }

  /**
   * Parses an expression. A field's name alone is that field, also where it is a word of SQL.
   *
   * @throws SqlError
   */
  async parse(text: string): Promise<Expression> {
    const bare = this.#fields.includes(text.trim()) ? quote(text.trim()) : text;
    try {
      const expression = await parseExpression(this.#duckdb, bare);
      await admitMacros(this.#duckdb, this.functions, expression.node);
      return await this.#exact(expression);
    } catch (error) {
      if (!(error instanceof SyntaxProblem))
        throw error instanceof SqlError ? new SqlError(`${error.message}${this.#quotesHint(text)}`) : error;
      const word = await this.#keywordAt(text, error.at);
      if (word === undefined) throw new SqlError(`${error.message}${this.#quotesHint(text)}`);
      throw new SqlError(
        `${error.plain} (character ${error.at + 1}); ${word} is a word of SQL too: write "${word}" in double quotes where it is the field`,
      );
    }
  }

  /** SQL of a part of an expression, which lies below it under a path of JSON. */
  async print({ tree }: Expression, path: string): Promise<string> {
    return await printPart(this.#duckdb, tree, path);
  }

  /** The field where the parser stopped, or before that place, whose name is a word of SQL. */
  async #keywordAt(text: string, at: number): Promise<string | undefined> {
    const here = /^\w+/.exec(text.slice(at))?.[0];
    const before = /(\w+)\s*$/.exec(text.slice(0, at))?.[1];
    for (const word of [here, before]) {
      const field = this.#fields.find((name) => name.toLowerCase() === word?.toLowerCase());
      if (field === undefined) continue;
      const rows = await this.#duckdb.rows(
        "select 1 from duckdb_keywords() where keyword_name = $1 and keyword_category <> 'unreserved'",
        [field.toLowerCase()],
      );
      if (rows.length > 0) return field;
    }
    return undefined;
  }

  /** A condition of the spec, or undefined with a problem. */
  async condition(text: string, path: string): Promise<Bound | undefined> {
    return await this.attempt(path, async () => {
      const expression = await this.parse(text);
      if (expression.alias !== "") throw new SqlError(namedCondition(text, expression.alias));
      checkKinds(expression.node, this.functions);
      const bound = await this.bind(expression, text);
      if (bound.duckdbType !== "BOOLEAN")
        throw new SqlError(`it is of type ${bound.duckdbType}, not true or false: write a comparison, such as x > 0`);
      return bound;
    });
  }

  /**
   * Finds an expression's type and its fields. It gives one value for one event, and its constants can be computed.
   *
   * @param text as the spec has it, so that messages can point into it
   * @param aggregate whether it is one call of an aggregate
   * @throws SqlError for names and types that do not fit
   */
  async bind(expression: Expression, text: string, aggregate = false): Promise<Bound> {
    const sql = this.#fields.includes(text.trim()) ? quote(text.trim()) : text;
    const duckdbType = await this.#describe(sql, text);
    const used = readFields(expression.node, this.#fields, this.#lookups);
    const plan = await readPlan(this.#duckdb, this.#select(sql));
    for (const operator of plan.operators)
      if (!ONE_ROW.has(operator) && !(aggregate && operator === AGGREGATE))
        throw new SqlError(givesRows(operator.replace(/^LOGICAL_/, "").toLowerCase()));
    await checkConstants(this.#duckdb, expression, plan, text);
    if (MAY_READ_JSON.test(JSON.stringify(expression.node)) || this.#hasJson)
      checkExactJson(await serializedPlan(this.#duckdb, this.#select(expression.sql)));
    return {
      sql: expression.sql,
      node: expression.node,
      duckdbType,
      fields: this.#fields.filter((field) => used.has(field)),
      lookups: [...this.#lookups].filter((lookup) => used.has(lookup)),
    };
  }

  /** The same, with the digits of numbers in JSON as they were written. */
  async #exact(expression: Expression): Promise<Expression> {
    if (!this.#hasJson && !MAY_READ_JSON.test(expression.tree)) return expression;
    this.#lambdas ??= await readLambdaFunctions(this.#duckdb);
    const options = { lambdas: this.#lambdas, typeOf: async (node: Node) => await this.#typeOfNode(node) };
    return await changedExpression(this.#duckdb, expression, async (node) => await exactJson(node, options));
  }

  /** @returns undefined where it does not bind alone */
  async #typeOfNode(node: Node): Promise<string | undefined> {
    try {
      const [row] = await this.#duckdb.rows(`${DESCRIBE}${this.#select(await printNode(this.#duckdb, node))}`);
      return String(row?.["column_type"]);
    } catch {
      // A parameter of a lambda, or SQL whose error is told where it is bound.
      return undefined;
    }
  }

  /** Type of SQL that was made from `text`. */
  async typeOf(sql: string): Promise<string> {
    return await this.#describe(sql, sql);
  }

  async #describe(sql: string, text: string): Promise<string> {
    try {
      const [row, another] = await this.#duckdb.rows(`${DESCRIBE}${this.#select(sql)}`);
      if (another !== undefined) throw new SqlError("it gives several columns: write one expression for each");
      return String(row?.["column_type"]);
    } catch (error) {
      if (error instanceof SqlError) throw error;
      throw new SqlError(`${describeSqlError(error, text, DESCRIBE.length + PREFIX.length)}${this.#quotesHint(text)}`);
    }
  }

  #select(sql: string): string {
    return `${PREFIX}${sql}\nfrom event`;
  }

  /** What to write for names that SQL takes in double quotes alone, and that a text has without. */
  #quotesHint(text: string): string {
    const names = this.#quotable.filter((name) => text.includes(name) && !text.includes(quote(name)));
    return names.length === 0 ? "" : `; in SQL this name needs double quotes: write ${names.map(quote).join(", ")}`;
  }
}

function namedCondition(text: string, alias: string): string {
  const inside = /^\s*"?(\w+)"?\s*:\s*(\w+)/.exec(text);
  return inside?.[1] === alias
    ? `${alias}:${inside[2] ?? ""} is no value inside ${alias}: write ${jsonPath(alias, [inside[2] ?? ""])}`
    : `a condition has no name: leave out "as ${alias}"`;
}
