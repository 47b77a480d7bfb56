/** From a transform's configuration to its plan, or to what is wrong with its SQL and its outputs. */
import {
  fieldPlace,
  nameProblem,
  type OutputConfig,
  parseKeyTemplate,
  type TopicConfig,
  type TransformConfig,
} from "@caudal/crds";
import { overlapOf } from "../json/document.ts";
import { placesIn } from "../json/places.ts";
import { checkKinds } from "./determinism.ts";
import { arithmeticOf } from "./arithmetic.ts";
import { directOf } from "./direct.ts";
import { checkFields, checkPlaces, inScope } from "./event-scope.ts";
import { duckdbTypeOf, isFieldType } from "./fields.ts";
import { mayBeNull } from "./nullable.ts";
import { quote } from "./quote.ts";
import type { Bound, Scope } from "./scope.ts";
import { SqlError, type SqlProblem } from "./sql-error.ts";
import { starItems } from "./star.ts";
import type { Expression } from "./syntax.ts";
import { systemColumnProblem } from "./system-columns.ts";
import { checkTopicFields, withScale } from "./topic-fields.ts";
import type { LookupPlan, ProjectedColumn, TransformPlan } from "./transform-plan.ts";
import { postgresType } from "./types.ts";

export interface CompiledTransform {
  /** null when there are problems. */
  readonly plan: TransformPlan | null;
  readonly problems: readonly SqlProblem[];
}

/**
 * Compiles a transform, and checks its columns against what its outputs are declared to take. SQL is bound and its
 * constants are computed on the way: for SQL of strangers call this in a process with limits (`checkSql`).
 *
 * @param path of the transform in the spec, such as `spec.transforms[approve]`
 */
export async function compileTransform(config: TransformConfig, path = "transform"): Promise<CompiledTransform> {
  const { topic } = config;
  const { lookups, problems } = planLookups(config, path);
  const early = [
    ...checkFields(topic),
    ...config.to.flatMap((output) => (output.topic === undefined ? [] : checkPlaces(output.topic))),
    ...problems,
  ];
  if (early.length > 0) return { plan: null, problems: early };
  return await inScope(topic, lookups, async (scope) => {
    const where = config.where === undefined ? undefined : await scope.condition(config.where, `${path}.where`);
    const { columns, read } = await compileSelect(scope, config, path);
    if (scope.problems.length === 0) scope.problems.push(...checkOutputs(config, columns, path));
    if (scope.problems.length > 0) return { plan: null, problems: scope.problems };
    const used = new Set([...(where?.lookups ?? []), ...read.flatMap((bound) => bound.lookups)]);
    const usedLookups = lookups.filter(({ name }) => used.has(name));
    const inputs = new Set([
      ...(where?.fields ?? []),
      ...read.flatMap(({ fields }) => fields),
      ...usedLookups.flatMap(({ on }) => on.map(({ field }) => field)),
    ]);
    const directWhere = where === undefined ? undefined : directOf(where.node, topic);
    const plan: TransformPlan = {
      ...(where === undefined ? {} : { where: where.sql }),
      ...(directWhere === undefined ? {} : { directWhere }),
      untouched: config.select === undefined,
      columns,
      inputs: [...inputs].sort(),
      lookups: usedLookups,
    };
    return { plan, problems: [] };
  });
}

/**
 * The plan of a configuration that has been checked.
 *
 * @throws SqlError with all problems
 */
export async function compileTransformPlan(config: TransformConfig): Promise<TransformPlan> {
  const { plan, problems } = await compileTransform(config);
  if (plan === null) throw new SqlError(problems.map((problem) => `${problem.path}: ${problem.message}`).join("; "));
  return plan;
}

function planLookups(
  { topic, lookups }: TransformConfig,
  path: string,
): { readonly lookups: readonly LookupPlan[]; readonly problems: readonly SqlProblem[] } {
  const problems: SqlProblem[] = [];
  const fields = new Map(topic.fields.map((field) => [field.name, field]));
  const plans = lookups.map(({ name, match, columns }) => {
    const place = `${path}.lookups[${name}]`;
    const twin = topic.fields.find((field) => field.name.toLowerCase() === name);
    if (twin !== undefined)
      problems.push({ path: place, message: `the event has a field ${twin.name}: give the lookup another name` });
    for (const [column, field] of Object.entries(match))
      if (!fields.has(field))
        problems.push({
          path: `${place}.match`,
          message: `${column}: the topic ${topic.name} has no field ${field}: write one of ${[...fields.keys()].join(", ")}`,
        });
    for (const column of columns)
      if (!isFieldType(column.type))
        problems.push({
          path: `${place}.columns[${column.name}].type`,
          message: `there is no type ${column.type}: decimal(p,s) has 1 to 38 digits p, of which s are after the point`,
        });
    return {
      name,
      on: Object.entries(match)
        .map(([column, field]) => ({ column, field, duckdbType: duckdbTypeOf(fields.get(field)?.type ?? "") }))
        .sort((a, b) => (a.column < b.column ? -1 : 1)),
      columns: columns.map((column) => ({ name: column.name, duckdbType: duckdbTypeOf(column.type) })),
    };
  });
  return { lookups: plans, problems };
}

/** @returns the columns, and what those that are no fields read */
async function compileSelect(
  scope: Scope,
  { topic, select = ["*"] }: TransformConfig,
  path: string,
): Promise<{ readonly columns: readonly ProjectedColumn[]; readonly read: readonly Bound[] }> {
  const columns: ProjectedColumn[] = [];
  const read: Bound[] = [];
  for (const [index, text] of select.entries()) {
    const place = `${path}.select[${index}]`;
    await scope.attempt(place, async () => {
      const found = await compileItem(scope, topic, text, read);
      for (const column of found) {
        const twin = columns.find(({ name }) => name.toLowerCase() === column.name.toLowerCase());
        if (twin !== undefined)
          throw new SqlError(
            `two columns are called ${twin.name}: write another name, or name the fields that you want instead of *`,
          );
        columns.push(column);
      }
    });
  }
  return { columns, read };
}

/** One text of a select: all fields, or one column. */
async function compileItem(
  scope: Scope,
  topic: TopicConfig,
  text: string,
  read: Bound[],
): Promise<readonly ProjectedColumn[]> {
  const expression = await scope.parse(text);
  if (expression.node.class !== "STAR") return [await compileColumn(scope, topic, expression, text, read)];
  const columns: ProjectedColumn[] = [];
  for (const { name, field, sql } of await starItems(scope, topic, expression)) {
    const replaced = `${sql ?? ""} as ${quote(name)}`;
    if (sql === undefined) columns.push({ ...fieldColumn(field), name });
    else columns.push(await compileColumn(scope, topic, await scope.parse(replaced), replaced, read));
  }
  return columns;
}

async function compileColumn(
  scope: Scope,
  topic: TopicConfig,
  expression: Expression,
  text: string,
  read: Bound[],
): Promise<ProjectedColumn> {
  checkKinds(expression.node, scope.functions);
  const bound = await scope.bind(expression, text);
  const field =
    expression.node.class === "COLUMN_REF" ? topic.fields.find(({ name }) => bound.fields.includes(name)) : undefined;
  const name = expression.alias === "" ? field?.name : expression.alias;
  if (name === undefined) throw new SqlError(`it needs a name: write "${text.trim()} as name"`);
  const problem = nameProblem(name);
  if (problem !== undefined) throw new SqlError(problem);
  if (field !== undefined) return { ...fieldColumn(field), name };
  read.push(bound);
  const required = new Set(topic.fields.filter(({ nullable }) => !nullable).map((one) => one.name.toLowerCase()));
  const direct = directOf(expression.node, topic) ?? arithmeticOf(expression.node, topic, bound.duckdbType);
  return {
    name,
    expression: bound.sql,
    isField: false,
    duckdbType: bound.duckdbType,
    postgresType: columnType(bound.duckdbType, name),
    nullable: mayBeNull(expression.node, required),
    inputs: bound.fields,
    ...(direct === undefined ? {} : { direct }),
  };
}

function fieldColumn({ name, type, nullable }: TopicConfig["fields"][number]): ProjectedColumn {
  const duckdbType = duckdbTypeOf(type);
  const column = { name, expression: name, isField: true, inputs: [] };
  return { ...column, duckdbType, postgresType: columnType(duckdbType, name), nullable };
}

function columnType(duckdbType: string, name: string): string {
  return duckdbType === "JSON" ? "jsonb" : postgresType(duckdbType, name);
}

function checkOutputs(
  { to, topic: source, select }: TransformConfig,
  columns: readonly ProjectedColumn[],
  path: string,
): readonly SqlProblem[] {
  const passed = { source, isUntouched: select === undefined };
  return to.flatMap((output) =>
    outputProblems(output, columns, passed).map(({ field, message }) => ({
      path: `${path}.to[${output.name}].${field}`,
      reason: "OutputInvalid",
      message,
    })),
  );
}

function outputProblems(
  { topic, table, redis, files }: OutputConfig,
  columns: readonly ProjectedColumn[],
  { source, isUntouched }: { readonly source: TopicConfig; readonly isUntouched: boolean },
): readonly { readonly field: string; readonly message: string }[] {
  const at = (field: string, messages: readonly string[]) => messages.map((message) => ({ field, message }));
  if (topic !== undefined)
    return at("topic", [
      ...checkTopic(topic, columns),
      ...checkUntouched(topic, isUntouched ? source : undefined),
      ...checkUnits(topic, columns, source),
    ]);
  if (table !== undefined) return at("table", checkTable(table, columns));
  if (redis !== undefined) return at("redis.key", checkTemplate(redis.key, columns));
  return files === undefined ? [] : at("files", checkFolders(columns));
}

function checkTemplate(key: string, columns: readonly ProjectedColumn[]): readonly string[] {
  const template = parseKeyTemplate(key);
  // What is no template is told with the spec's other forms.
  if (typeof template === "string") return [];
  const names = columns.map(({ name }) => name);
  return template.columns
    .filter((column) => !names.includes(column))
    .map((column) => `${column} is no column of the select: write one of ${names.join(", ")}`);
}

function checkFolders(columns: readonly ProjectedColumn[]): readonly string[] {
  return columns.some(({ name }) => name.toLowerCase() === "date")
    ? ["the folders of files give a column date: write `as` another name for the select's"]
    : [];
}

function checkTopic(topic: TopicConfig, columns: readonly ProjectedColumn[]): readonly string[] {
  const shown = columns.map(({ name, postgresType: type, nullable, duckdbType }) =>
    withScale({ name, postgresType: type, nullable }, duckdbType),
  );
  const problems = checkTopicFields(shown, topic, "the select");
  const places = placesIn(topic);
  const placed = columns.flatMap(({ name }) => {
    const path = places(name);
    return path === undefined ? [] : [{ name, path }];
  });
  const overlap = overlapOf(placed.map(({ path }) => path));
  if (overlap !== undefined) {
    const [one, other] = overlap.map((place) => placed[place]?.name ?? "");
    problems.push(
      `${one ?? ""} and ${other ?? ""} would be written to one place in the JSON of topic ${topic.name}: give one of the two another \`from\` there, or another name`,
    );
  }
  if (topic.key !== undefined && !columns.some(({ name }) => name === topic.key))
    problems.push(
      `topic ${topic.name} is keyed by ${topic.key}, which the select does not have: add ${topic.key}, or leave out the topic's key to keep the records' own`,
    );
  return problems;
}

/** @param source of events that go on as they came, byte for byte */
function checkUntouched(target: TopicConfig, source: TopicConfig | undefined): readonly string[] {
  if (source === undefined) return [];
  const places = new Map(source.fields.map((field) => [field.name, JSON.stringify(fieldPlace(field))]));
  return target.fields.flatMap((field) => {
    const there = places.get(field.name);
    return there === undefined || there === JSON.stringify(fieldPlace(field))
      ? []
      : [
          `events go on as they came, and topic ${target.name} has the field ${field.name} in another place than ${source.name}: write select: ["*"], which moves it, or give it the same \`from\``,
        ];
  });
}

/** Fields go on as they were written: a number of seconds must not be read as one of milliseconds. */
function checkUnits(target: TopicConfig, columns: readonly ProjectedColumn[], source: TopicConfig): readonly string[] {
  return target.fields.flatMap(({ name, type, unit = "milliseconds" }) => {
    const column = columns.find((candidate) => candidate.name === name && candidate.isField);
    const field = source.fields.find((candidate) => candidate.name === column?.expression);
    const written = field?.unit ?? "milliseconds";
    if (type !== "timestamp" || field?.type !== "timestamp" || written === unit) return [];
    return [
      `the field ${name} of topic ${target.name} counts ${unit}, and ${field.name} goes on as it was written, in ${written}: declare it with unit: ${written}`,
    ];
  });
}

function checkTable(
  { key = [] }: NonNullable<OutputConfig["table"]>,
  columns: readonly ProjectedColumn[],
): readonly string[] {
  const problems = columns.flatMap(({ name }) => systemColumnProblem(name) ?? []);
  for (const column of key) {
    const found = columns.find(({ name }) => name === column);
    if (found === undefined)
      problems.push(
        `the key ${column} is no column of the select: write one of ${columns.map(({ name }) => name).join(", ")}`,
      );
    else if (found.postgresType === "jsonb")
      problems.push(`the key ${column} is json, which has no order: use another`);
  }
  return problems;
}
