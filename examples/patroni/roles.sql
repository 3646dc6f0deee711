-- The roles that drills log in as, and a database of their own: the least that firedrill needs. All three share one
-- password, which a real cluster would not do. Run once, as superuser, when the cluster is made.
\set ON_ERROR_STOP on
\getenv password FIREDRILL_PASSWORD

-- Writes and reads the ledger.
CREATE ROLE firedrill LOGIN PASSWORD :'password';
-- Looks at the nodes, standbys too.
CREATE ROLE firedrill_observe LOGIN PASSWORD :'password' IN ROLE pg_monitor;
-- Promotes, marks, pauses replay, ends backends, makes slots. No superuser.
CREATE ROLE firedrill_act LOGIN REPLICATION PASSWORD :'password' IN ROLE pg_signal_backend, pg_checkpoint;

CREATE DATABASE firedrill OWNER firedrill;

-- Rights on functions belong to one database: this is where firedrill connects.
\connect firedrill
GRANT EXECUTE ON FUNCTION
  pg_promote(boolean, integer),
  pg_create_restore_point(text),
  pg_switch_wal(),
  pg_wal_replay_pause(),
  pg_wal_replay_resume()
TO firedrill_act;

-- The ledger, as `firedrill schema ledger` prints it, so that no drill has to make it and nobody but a superuser could.
\i /etc/firedrill/ledger.sql
GRANT firedrill_probe TO firedrill;
