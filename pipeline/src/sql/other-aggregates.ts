/** Aggregates that a table does not keep, why not, and what to write instead. A table's rows are added to, batch by batch. */

const COLLECTS =
  "cannot be added up over batches: it needs all values of a row at once; let a transform write the events to a table, and ask that";
const MOMENTS =
  "is not kept, though it can be computed from what is: keep count(x) as n, sum(x) as s and sum(x * x) as q, and in your query sqrt((q - s * s / n) / (n - 1)) is the standard deviation, its square the variance";
const PAIRS =
  "is not kept, though it can be computed from what is: keep count(*), sum(x), sum(y), sum(x * y), sum(x * x) and sum(y * y), and combine them in your query";
const SPREAD =
  "cannot be added up over batches: it needs all values of a row at once; group by a rounded value, as in round(x, -1) as bucket with count(*) as n, and find it in your query";
const LATEST =
  "cannot be added up over batches: it depends on the order of events; let a transform write to a table whose key is the group: it keeps the latest event of each";
const DISTINCT =
  "cannot be added up over batches: it needs all values of a row at once; put the value into groupBy, and count the rows in your query";
const BITS = "is not kept; write min, max or count(*) filter (where …) for each bit";

/** By DuckDB's own name, without aliases. */
const WHY: Readonly<Record<string, string>> = {
  count_if: "is written as count(*) filter (where x)",
  bool_or: "is written as max(x), or as count(*) filter (where x), which is more than 0",
  bool_and: "is written as min(x), or as count(*) filter (where not x), which is 0",
  fsum: "is written as sum(x)",
  favg: "is written as avg(x)",
  ...spread(MOMENTS, "stddev_samp", "stddev_pop", "var_samp", "var_pop", "sem", "skewness", "kurtosis", "kurtosis_pop"),
  ...spread(
    PAIRS,
    "corr",
    "covar_samp",
    "covar_pop",
    "regr_slope",
    "regr_intercept",
    "regr_r2",
    "regr_avgx",
    "regr_avgy",
  ),
  ...spread(PAIRS, "regr_count", "regr_sxx", "regr_sxy", "regr_syy"),
  ...spread(SPREAD, "median", "quantile", "quantile_cont", "quantile_disc", "approx_quantile", "reservoir_quantile"),
  ...spread(SPREAD, "mad", "mode", "entropy", "histogram", "histogram_exact", "approx_top_k"),
  ...spread(DISTINCT, "approx_count_distinct"),
  ...spread(LATEST, "first", "last", "any_value", "arg_min", "arg_max", "arg_min_null", "arg_max_null"),
  ...spread(LATEST, "arg_min_nulls_last", "arg_max_nulls_last"),
  ...spread(COLLECTS, "list", "string_agg", "json_group_array", "json_group_object", "json_group_structure"),
  ...spread(BITS, "bit_and", "bit_or", "bit_xor", "bitstring_agg"),
  product: "is not kept; keep sum(ln(x)) as l, and in your query exp(l) is the product of values above 0",
};

/** Names of other systems. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  countif: "count_if",
  ...spread("count_if", "count_where"),
  ...spread("list", "collect_list", "collect_set", "listagg", "wm_concat", "jsonb_agg", "json_agg", "xmlagg"),
  ...spread("approx_count_distinct", "count_distinct", "uniq", "approx_distinct", "hll", "approx_count_distinct_ds"),
  ...spread("last", "latest_by_offset", "earliest_by_offset", "last_value", "first_value", "anylast"),
  ...spread(
    "quantile_cont",
    "percentile",
    "percentile_cont",
    "percentile_disc",
    "percentile_approx",
    "approx_percentile",
  ),
  ...spread("bool_and", "every", "logical_and", "booland_agg"),
  ...spread("bool_or", "some", "logical_or", "boolor_agg"),
  ...spread("approx_top_k", "topk", "topkdistinct", "approx_top_count"),
};

function spread(why: string, ...names: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(names.map((name) => [name, why]));
}

/**
 * @param called as the spec has it
 * @param meaning DuckDB's own name for it, which an alias has
 * @returns what to say of an aggregate that no table keeps, where that is known
 */
export function whyNotKept(called: string, meaning: string): string | undefined {
  const name = Object.hasOwn(ELSEWHERE, meaning) ? (ELSEWHERE[meaning] ?? meaning) : meaning;
  return Object.hasOwn(WHY, name) ? `${called} ${WHY[name] ?? ""}` : undefined;
}

/** Why no `distinct` stands in an aggregate. */
export function whyNotDistinct(name: string): string {
  return name === "min" || name === "max"
    ? `${name} is the same without distinct: leave it out`
    : `${name}(distinct …) ${DISTINCT}`;
}
