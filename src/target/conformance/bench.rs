//! A cluster of some kind, with a guard and a journal: what a run has, without its probes.

use super::{Fixture, Wanted};
use crate::clock::Clock;
use crate::event::Emitter;
use crate::event::cluster::{ClusterSeen, Standing};
use crate::fault::{Fault, Hit};
use crate::recovery_action::Acting;
use crate::sql::{Answer, Asks, Session, Statement};
use crate::target::{Failover, Target, see_cluster};
use crate::undo::journal::{How, Opened, Record};
use crate::undo::{Guard, Journal, JournalOwner, Limits, Urgency, WayBack};
use std::sync::Arc;
use std::time::Duration;

/// How long one answer may take.
const SHORT: Duration = Duration::from_secs(2);

/// A cluster that can be drilled.
pub(super) struct Bench {
    pub(super) target: Arc<dyn Target>,
    pub(super) run: String,
    pub(super) folder: tempfile::TempDir,
    pub(super) journal: JournalOwner,
    /// Who led when it began, and the first of those that followed.
    pub(super) primary: String,
    pub(super) standby: String,
    clock: Clock,
    guard: Guard,
    emitter: Emitter,
}

/// Two nodes, and nobody but the check fails over.
pub(super) const BY_HAND: Wanted = Wanted {
    failover: Failover::Promote,
    standbys: 1,
};

impl Bench {
    /// `None` where no such cluster can run here.
    pub(super) async fn start(fixture: &dyn Fixture, check: &str, wanted: Wanted) -> Option<Self> {
        let run = format!("test-{check}-{}", std::process::id());
        let clock = fixture.clock();
        let target = fixture.start(&run, wanted, clock).await?;
        let folder = tempfile::tempdir().unwrap();
        let kind = fixture.kind();
        let identity = format!("{kind}:{run}");
        let facts = fixture.journal_facts(&run);
        let opened = Opened::by_this_process(&run, kind, &identity, facts, Clock::start());
        let mut bench = Self {
            primary: String::new(),
            standby: String::new(),
            journal: JournalOwner::create(folder.path(), opened).unwrap(),
            target,
            run,
            folder,
            clock,
            guard: Guard::new(),
            emitter: Emitter::channel().0,
        };
        let seen = bench.whole("at the start").await;
        bench.primary = seen.leader().expect("a leader").0.to_owned();
        let mut others = bench.target.nodes();
        others.retain(|node| *node != bench.primary);
        bench.standby = others.into_iter().next().expect("a standby");
        Some(bench)
    }

    /// Whether the target can do what a fault needs.
    pub(super) fn can(&self, fault: &dyn Fault) -> bool {
        let able = self.target.capabilities();
        fault.needs().iter().all(|need| able.contains(need))
    }

    pub(super) async fn seen(&self) -> ClusterSeen {
        see_cluster(self.target.as_ref(), self.clock, SHORT).await
    }

    /// Looks until one node leads and all others stream from it.
    pub(super) async fn whole(&self, what: &str) -> ClusterSeen {
        self.until(what, ClusterSeen::is_whole).await
    }

    /// Looks until `met`; a test that waits in vain says what it saw last.
    pub(super) async fn until(
        &self,
        what: &str,
        met: impl Fn(&ClusterSeen) -> bool,
    ) -> ClusterSeen {
        let mut seen = self.seen().await;
        for _ in 0..900 {
            if met(&seen) {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            seen = self.seen().await;
        }
        panic!("{what}: {seen:?}");
    }

    pub(super) async fn leader(&self) -> String {
        let seen = self.seen().await;
        seen.leader().expect("a leader").0.to_owned()
    }

    /// Strikes a fault on the node that it names; gives the proof.
    pub(super) async fn strike(&mut self, fault: &dyn Fault) -> String {
        let seen = self.seen().await;
        let node = fault.node().to_string();
        let role = match seen.node(&node) {
            Some(Standing::Primary { .. }) => "primary",
            _ => "standby",
        };
        let hit = Hit {
            node,
            role: role.to_owned(),
            timeline: seen.leader().expect("a leader").1,
        };
        let (guard, mut way) = self.way();
        let struck = guard.strike(fault, "step", &hit, &seen, &mut way).await;
        let proof = struck.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert!(!proof.is_empty(), "{fault:?}");
        proof
    }

    /// Undoes everything, and expects one cluster in which everybody streams. Says in which way.
    pub(super) async fn undo(&mut self, what: &str) -> How {
        let (guard, mut way) = self.way();
        let report = guard.undo_all(&mut way).await;
        assert_eq!(report.failures, [""; 0], "{what}");
        assert_eq!(report.writable, Some(1), "{what}");
        // A primary is back when it leads; its standbys may take a moment to find it again.
        self.whole(what).await;
        match self.records().last() {
            Some(Record::Done { how, .. }) => *how,
            other => panic!("{what}: {other:?}"),
        }
    }

    /// What the journal says by now.
    pub(super) fn records(&self) -> Vec<Record> {
        let lines = Journal::read(self.folder.path()).unwrap().lines;
        lines.into_iter().map(|line| line.record).collect()
    }

    pub(super) fn acting(&self) -> Acting<'_> {
        Acting {
            target: self.target.as_ref(),
            clock: self.clock,
            emitter: &self.emitter,
            number: 99,
            step: "action",
            evidence: self.folder.path(),
            within: Duration::from_secs(60),
        }
    }

    fn way(&mut self) -> (&mut Guard, WayBack<'_>) {
        let way = WayBack {
            target: self.target.as_ref(),
            clock: self.clock,
            emitter: &self.emitter,
            journal: &mut self.journal,
            evidence: self.folder.path(),
            limits: Limits::default(),
            urgency: Urgency::Patient,
        };
        (&mut self.guard, way)
    }

    /// Ends the cluster and expects nothing of it to be left.
    pub(super) async fn close(mut self, fixture: &dyn Fixture) {
        assert!(self.journal.close().unwrap(), "an entry is open");
        self.target.close().await.unwrap();
        assert_eq!(fixture.left_over(&self.run), [""; 0]);
    }
}

/// One question to one address, on a session of its own.
pub(super) async fn ask(address: &crate::sql::Address, sql: &str, asks: Asks) -> Answer {
    let session = Session::connect(address, SHORT).await;
    let session = session.unwrap_or_else(|error| panic!("{address}: {error}"));
    session
        .query(Statement::new(sql, asks), SHORT)
        .await
        .unwrap()
}
