SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE SCHEMA caudal;
CREATE FUNCTION caudal.check_windows(tables text[], oldest_ends bigint[], oldest_open_ends bigint[], revise boolean[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
    raise exception using errcode = 'CD002', message = format(
      'table %s keeps windows that end after %s, not one that ends at %s', passed.table_name, passed.floor, passed.oldest_end);
  end if;
  raise exception using errcode = case when passed.revises then 'CD003' else 'CD002' end, message = format(
    'windows of table %s are final up to %s, and one that ends at %s was thought to be open', passed.table_name, passed.final, passed.open_end);
end $$;
CREATE FUNCTION caudal.commit_files(ids uuid[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  found bigint;
begin
  update caudal.files f set committed = true where f.id = any(ids) and not f.committed;
  get diagnostics found = row_count;
  if found <> cardinality(ids) then
    raise exception using errcode = 'CD001',
      message = format('%s of %s files may still be committed', found, cardinality(ids));
  end if;
end $$;
CREATE FUNCTION caudal.forget_table(name text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
COMMENT ON FUNCTION caudal.forget_table(name text) IS 'Drops a result table with its progress and claim: it is computed anew from the log when a pipeline still declares it.';
CREATE FUNCTION caudal.move_judgement(pipeline_ text, topic_ text, outputs text[], partitions integer[], offsets bigint[], from_watermarks bigint[], to_watermarks bigint[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
    raise exception using errcode = 'CD001',
      message = format('%s of %s rows of progress are judged by what was expected', moved, cardinality(outputs));
  end if;
end $$;
CREATE FUNCTION caudal.move_progress(pipeline_ text, uid_ text, topic_ text, topic_id_ text, outputs text[], plans text[], partitions integer[], from_offsets bigint[], to_offsets bigint[], from_epochs integer[], to_epochs integer[], event_times bigint[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
    raise exception using errcode = 'CD001',
      message = format('%s of %s rows of progress are as expected', moved, cardinality(outputs));
  end if;
end $$;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE caudal.claims (
    table_name text NOT NULL,
    pipeline text NOT NULL,
    stage text NOT NULL,
    uid text NOT NULL,
    plan text NOT NULL,
    retired_uids text[] DEFAULT '{}'::text[] NOT NULL,
    claimed_at timestamp with time zone DEFAULT now() NOT NULL,
    floor timestamp with time zone,
    final timestamp with time zone,
    emitted_end timestamp with time zone,
    emitted_hash bigint,
    adopted boolean DEFAULT false NOT NULL
);
COMMENT ON TABLE caudal.claims IS 'Who writes each table: one stage of one pipeline. select caudal.forget_table(name) drops a table with its claim and progress.';
COMMENT ON COLUMN caudal.claims.floor IS 'Windows of the table that end here or before are no longer kept, and no commit brings them back. It never goes back.';
COMMENT ON COLUMN caudal.claims.final IS 'Windows of the table that end here or before are final: a later change is a revision, or refused. It never goes back.';
COMMENT ON COLUMN caudal.claims.emitted_end IS 'Rows up to here, by the end of their window and the hash of their groups, have been put into the outbox.';
COMMENT ON COLUMN caudal.claims.adopted IS 'Whether the table was there before a pipeline wrote to it: it is never dropped.';
CREATE TABLE caudal.files (
    id uuid NOT NULL,
    pipeline text NOT NULL,
    output text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    name text NOT NULL,
    committed boolean DEFAULT false NOT NULL,
    begun_at timestamp with time zone DEFAULT now() NOT NULL
);
COMMENT ON TABLE caudal.files IS 'Files on their way to a store: begun, then committed in the transaction that moves progress, then published and forgotten.';
CREATE TABLE caudal.installation (
    id uuid DEFAULT gen_random_uuid() NOT NULL
);
COMMENT ON TABLE caudal.installation IS 'Tells this database from another one of the same name that was there before it.';
CREATE TABLE caudal.outbox (
    pipeline text NOT NULL,
    stage text NOT NULL,
    seq bigint NOT NULL,
    table_name text NOT NULL,
    key text,
    value text NOT NULL
);
COMMENT ON TABLE caudal.outbox IS 'Final rows and revisions on their way to topics, in the order in which they were committed.';
ALTER TABLE caudal.outbox ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME caudal.outbox_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE caudal.per_three_minutes_panes (
    window_start timestamp with time zone NOT NULL,
    kind text COLLATE pg_catalog."C",
    revision bigint DEFAULT 0 NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    n bigint,
    _mean_s double precision,
    _mean_n bigint,
    lowest double precision
)
WITH (fillfactor='70');
CREATE TABLE caudal.progress (
    pipeline text NOT NULL,
    output text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    uid text NOT NULL,
    next_offset bigint NOT NULL,
    topic_id text NOT NULL,
    leader_epoch integer NOT NULL,
    plan text NOT NULL,
    max_event_time timestamp with time zone,
    idle_at timestamp with time zone,
    moved_at timestamp with time zone DEFAULT now() NOT NULL,
    judged_by timestamp with time zone
)
WITH (fillfactor='50');
COMMENT ON TABLE caudal.progress IS 'Next offset of each table and partition, moved in the transaction that writes the results.';
COMMENT ON COLUMN caudal.progress.judged_by IS 'Under lateEvents: DeadLetter, the watermark by which the events from next_offset on are judged, whoever reads them.';
CREATE TABLE caudal.version (
    version integer NOT NULL,
    migrated_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE caudal.watermarks (
    pipeline text NOT NULL,
    stage text NOT NULL,
    watermark timestamp with time zone,
    moved_at timestamp with time zone DEFAULT now() NOT NULL
)
WITH (fillfactor='50');
COMMENT ON TABLE caudal.watermarks IS 'Event time that each stage has passed; it never goes back.';
CREATE TABLE public.per_minute (
    window_start timestamp with time zone NOT NULL,
    window_end timestamp with time zone NOT NULL,
    kind text COLLATE pg_catalog."C",
    n bigint,
    mean double precision GENERATED ALWAYS AS ((_mean_s / (NULLIF(_mean_n, 0))::double precision)) STORED,
    lowest double precision,
    revision bigint DEFAULT 0 NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    _mean_s double precision,
    _mean_n bigint
)
WITH (fillfactor='70');
CREATE VIEW public.per_three_minutes AS
 SELECT m.window_start,
    (m.window_start + '00:03:00'::interval) AS window_end,
    m.kind,
    m.n,
    (m._mean_s / (NULLIF(m._mean_n, 0))::double precision) AS mean,
    m.lowest,
    m.revision,
    m.updated_at
   FROM ( SELECT w.window_start,
            w.kind,
            (sum(w.n))::bigint AS n,
            sum(w._mean_s) AS _mean_s,
            (sum(w._mean_n))::bigint AS _mean_n,
            min(w.lowest) AS lowest,
            (sum(w.revision))::bigint AS revision,
            max(w.updated_at) AS updated_at
           FROM ( SELECT (date_bin('00:01:00'::interval, p.window_start, '1970-01-01 00:00:00+00'::timestamp with time zone) - ((back.step)::double precision * '00:01:00'::interval)) AS window_start,
                    p.kind,
                    p.n,
                    p._mean_s,
                    p._mean_n,
                    p.lowest,
                    p.revision,
                    p.updated_at,
                    p.window_start AS "#pane"
                   FROM (caudal.per_three_minutes_panes p
                     CROSS JOIN generate_series(0, 2) back(step))) w
          WHERE (((w.window_start + '00:03:00'::interval) > w."#pane") AND ((w.window_start + '00:03:00'::interval) > COALESCE(( SELECT c.floor
                   FROM caudal.claims c
                  WHERE (c.table_name = 'per_three_minutes'::text)), '-infinity'::timestamp with time zone)))
          GROUP BY w.window_start, w.kind) m;
COMMENT ON VIEW public.per_three_minutes IS 'Windows, added up from the panes in "caudal"."per_three_minutes_panes" (definition e4a6be1e6112).';
INSERT INTO caudal.claims VALUES ('per_minute', 'shop/events', 'metrics', 'first', 'plan 1', '{}', '2026-11-30 23:56:16.876411+00', NULL, NULL, NULL, NULL, false);
INSERT INTO caudal.claims VALUES ('per_three_minutes', 'shop/events', 'metrics', 'first', 'plan 2', '{}', '2026-11-30 23:56:16.876411+00', NULL, NULL, NULL, NULL, false);
INSERT INTO caudal.installation VALUES ('63e27f02-4f80-4584-9ab3-7f59a8398482');
INSERT INTO caudal.per_three_minutes_panes VALUES ('2026-01-01 00:00:00+00', 'a', 0, '2026-11-30 23:56:16.984222+00', 2, 6, 2, 6);
INSERT INTO caudal.per_three_minutes_panes VALUES ('2026-01-01 00:03:00+00', NULL, 0, '2026-11-30 23:56:16.984222+00', 1, NULL, 0, NULL);
INSERT INTO caudal.progress VALUES ('shop/events', 'per_minute', 'events', 0, 'first', 3, 'id', 0, 'plan 1', '2026-01-01 00:05:00+00', NULL, '2026-11-30 23:56:16.984222+00', NULL);
INSERT INTO caudal.progress VALUES ('shop/events', 'per_three_minutes', 'events', 0, 'first', 3, 'id', 0, 'plan 2', '2026-01-01 00:05:00+00', NULL, '2026-11-30 23:56:16.984222+00', NULL);
INSERT INTO caudal.version VALUES (1, '2026-11-30 23:56:16.615519+00');
INSERT INTO caudal.version VALUES (2, '2026-11-30 23:56:16.615519+00');
INSERT INTO caudal.version VALUES (3, '2026-11-30 23:56:16.615519+00');
INSERT INTO caudal.version VALUES (4, '2026-11-30 23:56:16.615519+00');
INSERT INTO caudal.version VALUES (5, '2026-11-30 23:56:16.615519+00');
INSERT INTO caudal.version VALUES (6, '2026-11-30 23:56:16.615519+00');
INSERT INTO caudal.watermarks VALUES ('shop/events', 'metrics', '2026-01-01 00:04:50+00', '2026-11-30 23:56:16.997498+00');
INSERT INTO public.per_minute VALUES ('2026-01-01 00:00:00+00', '2026-01-01 00:01:00+00', 'a', 2, DEFAULT, 6, 0, '2026-11-30 23:56:16.984222+00', 6, 2);
INSERT INTO public.per_minute VALUES ('2026-01-01 00:05:00+00', '2026-01-01 00:06:00+00', NULL, 1, DEFAULT, NULL, 0, '2026-11-30 23:56:16.984222+00', NULL, 0);
SELECT pg_catalog.setval('caudal.outbox_seq_seq', 1, false);
ALTER TABLE ONLY caudal.claims
    ADD CONSTRAINT claims_pkey PRIMARY KEY (table_name);
ALTER TABLE ONLY caudal.files
    ADD CONSTRAINT files_pkey PRIMARY KEY (id);
ALTER TABLE ONLY caudal.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (pipeline, stage, seq);
ALTER TABLE ONLY caudal.progress
    ADD CONSTRAINT progress_pkey PRIMARY KEY (pipeline, output, topic, partition);
ALTER TABLE ONLY caudal.version
    ADD CONSTRAINT version_pkey PRIMARY KEY (version);
ALTER TABLE ONLY caudal.watermarks
    ADD CONSTRAINT watermarks_pkey PRIMARY KEY (pipeline, stage);
CREATE INDEX files_pipeline_output_topic_partition_idx ON caudal.files USING btree (pipeline, output, topic, partition);
CREATE UNIQUE INDEX per_three_minutes_panes_kind_window_start_idx ON caudal.per_three_minutes_panes USING btree (kind, window_start) NULLS NOT DISTINCT;
CREATE UNIQUE INDEX per_minute_kind_window_start_idx ON public.per_minute USING btree (kind, window_start) NULLS NOT DISTINCT;
