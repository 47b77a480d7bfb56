/** In what a table's definition differs from the one that it was made with, in words. */

type Row = readonly unknown[];

/** As `sql/meaning.ts` writes it. */
interface Meaning {
  readonly topic: string;
  readonly timestamp: string | null;
  readonly fields: readonly Row[];
  readonly where: readonly [string | null, string | null];
  readonly window: Row;
  readonly groups: readonly Row[];
  readonly parts: readonly Row[];
}

/** As long as a person reads an expression in a message. */
const SHOWN = 160;

/** @returns one phrase a difference; none where one of them is not known, or they differ in how results are stored */
export function meaningDifferences(before: string | null, now: string | undefined): readonly string[] {
  if (before === null || now === undefined) return [];
  const [old, wanted] = [JSON.parse(before) as Meaning, JSON.parse(now) as Meaning];
  return [
    ...changed("the topic", old.topic, wanted.topic),
    ...changed("the topic's timestamp", old.timestamp ?? "the record's", wanted.timestamp ?? "the record's"),
    ...rows("field", old.fields, wanted.fields),
    ...changed("the stage's where", old.where[0] ?? "none", wanted.where[0] ?? "none"),
    ...changed("where", old.where[1] ?? "none", wanted.where[1] ?? "none"),
    ...changed("window", windowText(old.window), windowText(wanted.window)),
    ...rows("groupBy", old.groups, wanted.groups),
    ...rows("aggregate", old.parts, wanted.parts),
  ];
}

function changed(what: string, was: string, is: string): string[] {
  return was === is ? [] : [`${what} was ${shorten(was)} and is ${shorten(is)}`];
}

/** Rows of a name and what belongs to it. */
function rows(what: string, before: readonly Row[], now: readonly Row[]): string[] {
  const old = new Map(before.map((row) => [String(row[0]), row]));
  const wanted = new Map(now.map((row) => [String(row[0]), row]));
  const gone = [...old.keys()].filter((name) => !wanted.has(name)).map((name) => `${what} ${name} is no longer there`);
  const differ = [...wanted].flatMap(([name, row]) => {
    const known = old.get(name);
    if (known === undefined) return [`${what} ${name} is new`];
    return changed(`${what} ${name}`, rowText(known), rowText(row));
  });
  const names = (all: ReadonlyMap<string, unknown>) => [...all.keys()].join(", ");
  const moved = gone.length + differ.length === 0 && names(old) !== names(wanted);
  return [...gone, ...differ, ...(moved ? changed(`the order of ${what}`, names(old), names(wanted)) : [])];
}

/** What follows the name: a type; an expression and its type; a value with the parts that it is made of. */
function rowText([, ...rest]: Row): string {
  return rest
    .map((item) =>
      Array.isArray(item)
        ? (item as readonly Row[])
            .map(([, call, of, type]) => `${String(call)}(${String(of ?? "*")})::${String(type)}`)
            .join(", ")
        : String(item),
    )
    .join(" of ");
}

function windowText([size, advance, , , session]: Row): string {
  if (session !== undefined) return `session of gap ${String(size)} ms`;
  return size === advance
    ? `tumbling of ${String(size)} ms`
    : `hopping of ${String(size)} ms every ${String(advance)} ms`;
}

function shorten(text: string): string {
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}…`;
}
