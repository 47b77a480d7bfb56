/** The schema `caudal`: what the engine remembers beside the results, made and moved forward under an advisory lock. */
import type { Connection } from "./connection.ts";
import { DatabaseUnsupported, FINAL_MOVED, PROGRESS_MOVED, WINDOW_PASSED } from "./errors.ts";

/** Serialises everything that makes or changes schemas and tables, in every process of every pipeline of the database. */
export const SCHEMA_LOCK = "hashtextextended('caudal schema', 0)";

/** Each is applied once, in order, and never changed after a release. */
const migrations: readonly string[] = [
  `
create table caudal.claims (
  table_name text primary key,
  pipeline text not null,
  stage text not null,
  uid text not null,
  plan text not null,
  retired_uids text[] not null default '{}',
  claimed_at timestamptz not null default now()
);
comment on table caudal.claims is 'Who writes each table: one stage of one pipeline. select caudal.forget_table(name) drops a table with its claim and progress.';

create table caudal.progress (
  pipeline text not null,
  output text not null,
  topic text not null,
  partition integer not null,
  uid text not null,
  next_offset bigint not null,
  topic_id text not null,
  leader_epoch integer not null,
  plan text not null,
  max_event_time timestamptz,
  idle_at timestamptz,
  moved_at timestamptz not null default now(),
  primary key (pipeline, output, topic, partition)
) with (fillfactor = 50);
comment on table caudal.progress is 'Next offset of each table and partition, moved in the transaction that writes the results.';

create table caudal.watermarks (
  pipeline text not null,
  stage text not null,
  watermark timestamptz,
  moved_at timestamptz not null default now(),
  primary key (pipeline, stage)
) with (fillfactor = 50);
comment on table caudal.watermarks is 'Event time that each stage has passed; it never goes back.';

create function caudal.move_progress(
  pipeline_ text, uid_ text, topic_ text, topic_id_ text,
  outputs text[], plans text[], partitions integer[],
  from_offsets bigint[], to_offsets bigint[], from_epochs integer[], to_epochs integer[], event_times bigint[]
) returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  moved bigint;
begin
  perform from caudal.progress p
    where p.pipeline = pipeline_ and p.topic = topic_ and p.output = any(outputs) and p.partition = any(partitions)
    order by p.partition, p.output for update;
  update caudal.progress p set
    next_offset = m.to_offset, leader_epoch = m.to_epoch, idle_at = null, moved_at = now(),
    max_event_time = greatest(p.max_event_time, timestamptz 'epoch' + m.event_time * interval '1 millisecond')
  from unnest(outputs, plans, partitions, from_offsets, to_offsets, from_epochs, to_epochs, event_times)
    as m(output, plan, partition, from_offset, to_offset, from_epoch, to_epoch, event_time)
  where p.pipeline = pipeline_ and p.topic = topic_ and p.output = m.output and p.partition = m.partition
    and p.uid = uid_ and p.topic_id = topic_id_ and p.plan = m.plan
    and p.next_offset = m.from_offset and p.leader_epoch = m.from_epoch;
  get diagnostics moved = row_count;
  if moved <> cardinality(outputs) then
    raise exception using errcode = '${PROGRESS_MOVED}',
      message = format('%s of %s rows of progress are as expected', moved, cardinality(outputs));
  end if;
end $$;

create function caudal.forget_table(name text) returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where n.nspname = 'public' and c.relname = name and c.relkind = 'v') then
    execute format('drop view public.%I', name);
  else
    execute format('drop table if exists public.%I', name);
  end if;
  execute format('drop table if exists caudal.%I', name || '_panes');
  delete from caudal.progress p using caudal.claims c
    where c.table_name = name and p.pipeline = c.pipeline and p.output = name;
  delete from caudal.claims c where c.table_name = name;
end $$;
comment on function caudal.forget_table(text) is 'Drops a result table with its progress and claim: it is computed anew from the log when a pipeline still declares it.';
`,
  `
alter table caudal.claims
  add column floor timestamptz,
  add column final timestamptz,
  add column emitted_end timestamptz,
  add column emitted_hash bigint;
comment on column caudal.claims.floor is 'Windows of the table that end here or before are no longer kept, and no commit brings them back. It never goes back.';
comment on column caudal.claims.final is 'Windows of the table that end here or before are final: a later change is a revision, or refused. It never goes back.';
comment on column caudal.claims.emitted_end is 'Rows up to here, by the end of their window and the hash of their groups, have been put into the outbox.';

create table caudal.outbox (
  pipeline text not null,
  stage text not null,
  seq bigint generated always as identity,
  table_name text not null,
  key text,
  value text not null,
  primary key (pipeline, stage, seq)
);
comment on table caudal.outbox is 'Final rows and revisions on their way to topics, in the order in which they were committed.';

create table caudal.installation (id uuid not null default gen_random_uuid());
insert into caudal.installation default values;
comment on table caudal.installation is 'Tells this database from another one of the same name that was there before it.';

create function caudal.check_windows(tables text[], oldest_ends bigint[], oldest_open_ends bigint[], revise boolean[])
returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  passed record;
begin
  perform from caudal.claims c where c.table_name = any(tables) order by c.table_name for share;
  select c.table_name, c.floor, c.final, o.oldest_end, o.open_end, o.revises, c.floor >= o.oldest_end as expired into passed
    from caudal.claims c
    join (select t.name, timestamptz 'epoch' + t.oldest * interval '1 millisecond' as oldest_end,
            timestamptz 'epoch' + t.oldest_open * interval '1 millisecond' as open_end, t.revises
          from unnest(tables, oldest_ends, oldest_open_ends, revise) as t(name, oldest, oldest_open, revises)) o
      on o.name = c.table_name
    where c.floor >= o.oldest_end or c.final >= o.open_end
    order by expired desc nulls last limit 1;
  if not found then
    return;
  elsif passed.expired then
    raise exception using errcode = '${WINDOW_PASSED}', message = format(
      'table %s keeps windows that end after %s, not one that ends at %s', passed.table_name, passed.floor, passed.oldest_end);
  end if;
  raise exception using errcode = case when passed.revises then '${FINAL_MOVED}' else '${WINDOW_PASSED}' end, message = format(
    'windows of table %s are final up to %s, and one that ends at %s was thought to be open', passed.table_name, passed.final, passed.open_end);
end $$;
`,
  `
create or replace function caudal.forget_table(name text) returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where n.nspname = 'public' and c.relname = name and c.relkind = 'v') then
    execute format('drop view public.%I', name);
  else
    execute format('drop table if exists public.%I', name);
  end if;
  execute format('drop table if exists caudal.%I, caudal.%I', name || '_panes', name || '_groups');
  delete from caudal.progress p using caudal.claims c
    where c.table_name = name and p.pipeline = c.pipeline and p.output = name;
  delete from caudal.claims c where c.table_name = name;
end $$;
`,
  `
alter table caudal.progress add column judged_by timestamptz;
comment on column caudal.progress.judged_by is 'Under lateEvents: DeadLetter, the watermark by which the events from next_offset on are judged, whoever reads them.';

create function caudal.move_judgement(
  pipeline_ text, topic_ text, outputs text[], partitions integer[], offsets bigint[],
  from_watermarks bigint[], to_watermarks bigint[]
) returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  moved bigint;
begin
  perform from caudal.progress p
    where p.pipeline = pipeline_ and p.topic = topic_ and p.output = any(outputs) and p.partition = any(partitions)
    order by p.partition, p.output for update;
  update caudal.progress p set judged_by = timestamptz 'epoch' + m.to_watermark * interval '1 millisecond'
  from unnest(outputs, partitions, offsets, from_watermarks, to_watermarks)
    as m(output, partition, at_offset, from_watermark, to_watermark)
  where p.pipeline = pipeline_ and p.topic = topic_ and p.output = m.output and p.partition = m.partition
    and p.next_offset = m.at_offset
    and p.judged_by is not distinct from timestamptz 'epoch' + m.from_watermark * interval '1 millisecond';
  get diagnostics moved = row_count;
  if moved <> cardinality(outputs) then
    raise exception using errcode = '${PROGRESS_MOVED}',
      message = format('%s of %s rows of progress are judged by what was expected', moved, cardinality(outputs));
  end if;
end $$;
`,
  `
create table caudal.files (
  id uuid primary key,
  pipeline text not null,
  output text not null,
  topic text not null,
  partition integer not null,
  name text not null,
  committed boolean not null default false,
  begun_at timestamptz not null default now()
);
create index on caudal.files (pipeline, output, topic, partition);
comment on table caudal.files is 'Files on their way to a store: begun, then committed in the transaction that moves progress, then published and forgotten.';

create function caudal.commit_files(ids uuid[]) returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  found bigint;
begin
  update caudal.files f set committed = true where f.id = any(ids) and not f.committed;
  get diagnostics found = row_count;
  if found <> cardinality(ids) then
    raise exception using errcode = '${PROGRESS_MOVED}',
      message = format('%s of %s files may still be committed', found, cardinality(ids));
  end if;
end $$;
`,
  `
alter table caudal.claims add column adopted boolean not null default false;
comment on column caudal.claims.adopted is 'Whether the table was there before a pipeline wrote to it: it is never dropped.';

create or replace function caudal.forget_table(name text) returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (select from caudal.claims c where c.table_name = name and c.adopted) then
    if exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
               where n.nspname = 'public' and c.relname = name and c.relkind = 'v') then
      execute format('drop view public.%I', name);
    else
      execute format('drop table if exists public.%I', name);
    end if;
    execute format('drop table if exists caudal.%I, caudal.%I', name || '_panes', name || '_groups');
  end if;
  delete from caudal.progress p using caudal.claims c
    where c.table_name = name and p.pipeline = c.pipeline and p.output = name;
  delete from caudal.claims c where c.table_name = name;
end $$;
`,
  `
create or replace function caudal.forget_table(name text) returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  -- As a spec writes a table: letters stay large and small, with quotes and without.
  parts text[] := regexp_match(name, '^(?:("(?:[^"]|"")+"|[^".]+)[.])?("(?:[^"]|"")+"|[^".]+)$');
  schema_ text := replace(case when parts[1] like '"%' then substr(parts[1], 2, length(parts[1]) - 2)
    else coalesce(parts[1], 'public') end, '""', '"');
  table_ text := replace(case when parts[2] like '"%' then substr(parts[2], 2, length(parts[2]) - 2) else parts[2] end, '""', '"');
  title text;
  short text;
begin
  select string_agg(case when p ~ '^[a-z_][a-z0-9_]*$' then p else '"' || replace(p, '"', '""') || '"' end, '.' order by n)
    into title from unnest(array[schema_, table_]) with ordinality as u(p, n) where n = 2 or p <> 'public';
  if not exists (select from caudal.claims c where c.table_name = title) then
    raise exception using errcode = 'undefined_table',
      message = format('no pipeline keeps a table %s: select table_name from caudal.claims says which there are', name);
  end if;
  short := case when title ~ '^[a-z_][a-z0-9_]{0,47}$' then title
    else 't_' || left(md5(convert_to(title, 'UTF8')), 16) end;
  if not exists (select from caudal.claims c where c.table_name = title and c.adopted) then
    if exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
               where n.nspname = schema_ and c.relname = table_ and c.relkind = 'v') then
      execute format('drop view %I.%I', schema_, table_);
    else
      execute format('drop table if exists %I.%I', schema_, table_);
    end if;
    execute format('drop table if exists caudal.%I, caudal.%I', short || '_panes', short || '_groups');
  end if;
  delete from caudal.progress p using caudal.claims c
    where c.table_name = title and p.pipeline = c.pipeline and p.output = title;
  delete from caudal.claims c where c.table_name = title;
end $$;
`,
  `
create table caudal.definitions (
  table_name text primary key,
  pipeline text not null,
  stage text not null,
  uid text not null,
  generation bigint not null,
  plan text not null,
  retired_uids text[] not null default '{}',
  asked_at timestamptz not null default now()
);
comment on table caudal.definitions is 'The newest definition of each table that its pipeline has asked for, under the uid and the generation of the resource. It stays when the table is forgotten: an older generation never makes it again.';
insert into caudal.definitions (table_name, pipeline, stage, uid, generation, plan, retired_uids)
  select table_name, pipeline, stage, uid, 0, plan, retired_uids from caudal.claims;

create or replace function caudal.forget_table(name text) returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  -- As a spec writes a table: letters stay large and small, with quotes and without.
  parts text[] := regexp_match(name, '^(?:("(?:[^"]|"")+"|[^".]+)[.])?("(?:[^"]|"")+"|[^".]+)$');
  schema_ text := replace(case when parts[1] like '"%' then substr(parts[1], 2, length(parts[1]) - 2)
    else coalesce(parts[1], 'public') end, '""', '"');
  table_ text := replace(case when parts[2] like '"%' then substr(parts[2], 2, length(parts[2]) - 2) else parts[2] end, '""', '"');
  title text;
  short text;
  claimed record;
begin
  select string_agg(case when p ~ '^[a-z_][a-z0-9_]*$' then p else '"' || replace(p, '"', '""') || '"' end, '.' order by n)
    into title from unnest(array[schema_, table_]) with ordinality as u(p, n) where n = 2 or p <> 'public';
  short := case when title ~ '^[a-z_][a-z0-9_]{0,47}$' then title
    else 't_' || left(md5(convert_to(title, 'UTF8')), 16) end;
  perform pg_advisory_xact_lock(${SCHEMA_LOCK});
  -- In the order in which commits lock: progress, the claim, the table.
  perform from caudal.progress p join caudal.claims c on c.pipeline = p.pipeline
    where c.table_name = title and p.output = title order by p.partition for update of p;
  select c.pipeline, c.stage, c.adopted into claimed from caudal.claims c where c.table_name = title for update;
  if not found then
    raise exception using errcode = 'undefined_table',
      message = format('no pipeline keeps a table %s: select table_name from caudal.claims says which there are', name);
  else
    -- The stage judges by those of its tables that have come furthest. Where the others are behind this one, they have
    -- not seen what the watermark was made of: it begins anew.
    update caudal.watermarks w set watermark = null, moved_at = now()
      where w.pipeline = claimed.pipeline and w.stage = claimed.stage and exists (
        select from caudal.progress p
        where p.pipeline = claimed.pipeline and p.output = title and not exists (
          select from caudal.progress q join caudal.claims o on o.table_name = q.output
          where q.pipeline = p.pipeline and o.pipeline = p.pipeline and o.stage = claimed.stage and q.output <> title
            and q.topic = p.topic and q.partition = p.partition and q.next_offset >= p.next_offset));
    update caudal.progress q set judged_by = null
      from caudal.progress p, caudal.claims o
      where p.pipeline = claimed.pipeline and p.output = title and q.pipeline = p.pipeline and q.output <> title
        and o.table_name = q.output and o.pipeline = q.pipeline and o.stage = claimed.stage
        and q.topic = p.topic and q.partition = p.partition and q.next_offset < p.next_offset;
    delete from caudal.progress p where p.pipeline = claimed.pipeline and p.output = title;
    delete from caudal.claims c where c.table_name = title;
    if claimed.adopted then
      return;
    end if;
  end if;
  if exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where n.nspname = schema_ and c.relname = table_ and c.relkind = 'v') then
    execute format('drop view %I.%I', schema_, table_);
  else
    execute format('drop table if exists %I.%I', schema_, table_);
  end if;
  execute format('drop table if exists caudal.%I, caudal.%I', short || '_panes', short || '_groups');
end $$;
`,
  `
alter table caudal.claims add column meaning text;
comment on column caudal.claims.meaning is 'The definition that the table was made with, in JSON, to say in what another one differs; null where an earlier release made it.';
`,
];

/** Brings the schema to this release's version; does nothing, and takes no lock, where it is. */
export async function migrate(connection: Connection): Promise<void> {
  if ((await installedVersion(connection)) === migrations.length) return;
  await connection.inTransaction("migrate", async () => {
    await connection.query("migrate", { text: `select pg_advisory_xact_lock(${SCHEMA_LOCK})` });
    await connection.query("migrate", {
      // A user who may not make schemas may still use the one that is there.
      text: `do $$ begin if to_regnamespace('caudal') is null then create schema caudal; end if; end $$;
        create table if not exists caudal.version (
          version integer primary key, migrated_at timestamptz not null default now()
        )`,
    });
    const installed = await installedVersion(connection);
    if (installed > migrations.length)
      throw new DatabaseUnsupported(
        `the schema caudal of this database is of version ${installed}, made by a newer release; this one knows up to ${migrations.length}: run the newer release again`,
      );
    for (const [index, text] of migrations.entries()) {
      if (index < installed) continue;
      await connection.query("migrate", { text });
      await connection.query("migrate", {
        text: "insert into caudal.version (version) values ($1)",
        values: [index + 1],
      });
    }
  });
}

async function installedVersion(connection: Connection): Promise<number> {
  const { rows: found } = await connection.query<{ exists: boolean }>("migrate", {
    text: "select to_regclass('caudal.version') is not null as exists",
  });
  if (found[0]?.exists !== true) return 0;
  const { rows } = await connection.query<{ version: number }>("migrate", {
    text: "select coalesce(max(version), 0) as version from caudal.version",
  });
  return rows[0]?.version ?? 0;
}
