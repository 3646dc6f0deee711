-- What firedrill needs in a database: one table, and three functions around it.
--
-- Run it once, as a role that may create roles and schemas, in the database that the probes use (one of
-- its own is best: CREATE DATABASE firedrill). It may be run again. Then let the probe's login role in:
--
--     GRANT firedrill_probe TO the_login_role;
--
-- To remove all of it: DROP SCHEMA firedrill CASCADE; DROP ROLE firedrill_probe, firedrill_owner;

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'firedrill_owner') THEN
    CREATE ROLE firedrill_owner NOLOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'firedrill_probe') THEN
    CREATE ROLE firedrill_probe NOLOGIN;
  END IF;
  -- Lets newest() name the timeline that a standby receives. Without it the last checkpoint's is named,
  -- which is late after a promotion.
  BEGIN
    GRANT pg_read_all_stats TO firedrill_owner;
  EXCEPTION WHEN insufficient_privilege THEN
    NULL;
  END;
END
$$;

CREATE SCHEMA IF NOT EXISTS firedrill AUTHORIZATION firedrill_owner;

-- One row for each commit that a probe tried. seq counts from 1 without gaps in what was sent.
CREATE TABLE IF NOT EXISTS firedrill.ledger (
  run     text    NOT NULL,
  writer  integer NOT NULL,
  seq     bigint  NOT NULL,
  sent_us bigint  NOT NULL,
  PRIMARY KEY (run, writer, seq)
);
ALTER TABLE firedrill.ledger OWNER TO firedrill_owner;

-- Writes one row and says which server wrote it. On a standby it writes nothing and says so, because an
-- error there would fill the logs and trip alerts.
CREATE OR REPLACE FUNCTION firedrill.tick(
  run text, writer integer, seq bigint, sent_us bigint,
  OUT is_primary boolean, OUT server text, OUT port integer, OUT started_us bigint,
  OUT wal_file text, OUT lsn pg_catalog.pg_lsn, OUT backend integer
)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = ''
AS $$
BEGIN
  is_primary := NOT pg_catalog.pg_is_in_recovery();
  server     := pg_catalog.host(pg_catalog.inet_server_addr());
  port       := pg_catalog.inet_server_port();
  started_us := (extract(epoch FROM pg_catalog.pg_postmaster_start_time()) * 1000000)::bigint;
  backend    := pg_catalog.pg_backend_pid();
  IF is_primary THEN
    INSERT INTO firedrill.ledger VALUES (tick.run, tick.writer, tick.seq, tick.sent_us);
    lsn      := pg_catalog.pg_current_wal_insert_lsn();
    wal_file := pg_catalog.pg_walfile_name(lsn);
  END IF;
END
$$;
ALTER FUNCTION firedrill.tick(text, integer, bigint, bigint) OWNER TO firedrill_owner;

-- What a reader sees: when the newest visible row of a run was sent, and which server and timeline
-- answered.
CREATE OR REPLACE FUNCTION firedrill.newest(
  run text,
  OUT sent_us bigint, OUT in_recovery boolean, OUT server text, OUT port integer,
  OUT started_us bigint, OUT timeline integer
)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = ''
AS $$
BEGIN
  in_recovery := pg_catalog.pg_is_in_recovery();
  server      := pg_catalog.host(pg_catalog.inet_server_addr());
  port        := pg_catalog.inet_server_port();
  started_us  := (extract(epoch FROM pg_catalog.pg_postmaster_start_time()) * 1000000)::bigint;
  -- Newest by writer, through the primary key: a plain max(sent_us) would read the whole run each time.
  WITH RECURSIVE writers AS (
    (SELECT l.writer FROM firedrill.ledger l WHERE l.run = newest.run ORDER BY l.writer LIMIT 1)
    UNION ALL
    SELECT (SELECT l.writer FROM firedrill.ledger l
             WHERE l.run = newest.run AND l.writer > w.writer ORDER BY l.writer LIMIT 1)
      FROM writers w WHERE w.writer IS NOT NULL
  )
  SELECT max((SELECT l.sent_us FROM firedrill.ledger l
               WHERE l.run = newest.run AND l.writer = w.writer ORDER BY l.seq DESC LIMIT 1))
    INTO newest.sent_us FROM writers w WHERE w.writer IS NOT NULL;
  IF in_recovery THEN
    SELECT r.received_tli INTO timeline FROM pg_catalog.pg_stat_get_wal_receiver() r;
    IF timeline IS NULL THEN
      SELECT greatest(c.timeline_id, r.min_recovery_end_timeline) INTO timeline
        FROM pg_catalog.pg_control_checkpoint() c, pg_catalog.pg_control_recovery() r;
    END IF;
  ELSE
    timeline := ('x' || pg_catalog.substr(
      pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 1, 8))::bit(32)::integer;
  END IF;
END
$$;
ALTER FUNCTION firedrill.newest(text) OWNER TO firedrill_owner;

-- Removes the rows of one run; says how many.
CREATE OR REPLACE FUNCTION firedrill.purge(run text) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = ''
AS $$
DECLARE
  removed bigint;
BEGIN
  DELETE FROM firedrill.ledger l WHERE l.run = purge.run;
  GET DIAGNOSTICS removed = ROW_COUNT;
  RETURN removed;
END
$$;
ALTER FUNCTION firedrill.purge(text) OWNER TO firedrill_owner;

REVOKE ALL ON FUNCTION firedrill.tick(text, integer, bigint, bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION firedrill.newest(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION firedrill.purge(text) FROM PUBLIC;
GRANT USAGE ON SCHEMA firedrill TO firedrill_probe;
GRANT SELECT ON firedrill.ledger TO firedrill_probe;
GRANT EXECUTE ON FUNCTION firedrill.tick(text, integer, bigint, bigint) TO firedrill_probe;
GRANT EXECUTE ON FUNCTION firedrill.newest(text) TO firedrill_probe;
GRANT EXECUTE ON FUNCTION firedrill.purge(text) TO firedrill_probe;
