//! Breaking a server on purpose for a known time, with the stamps of each call.

use super::NODE;
use firedrill::clock::Clock;
use firedrill::event::Stamp;
use firedrill::fault::freeze::{Freeze, FreezeScope};
use firedrill::fault::{Fault, Hit};
use firedrill::role::NodeRef;
use firedrill::target::local::LocalTarget;
use firedrill::target::local::link::Link;
use firedrill::target::see_cluster;
use std::net::SocketAddr;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    Freeze,
    Reset,
}

/// What was done, with the stamps of each call in milliseconds.
#[derive(Debug)]
pub struct Known {
    pub how: Break,
    pub length: Duration,
    pub fault: (f64, f64),
    pub heal: (f64, f64),
    /// When those were answered who waited at the end of the healing.
    pub served_by: f64,
    /// The machine was quick all around it, so that its length is known.
    pub quick: bool,
}

impl Known {
    pub fn truth(&self) -> (f64, f64) {
        (
            self.heal.0 - self.fault.1,
            self.served_by.max(self.heal.1) - self.fault.0,
        )
    }
}

pub async fn freeze(target: &LocalTarget, clock: Clock, length: Duration) -> Known {
    let fault = Freeze {
        id: None,
        node: NodeRef::Primary,
        scope: FreezeScope::All,
    };
    let hit = Hit {
        node: NODE.to_owned(),
        role: "primary".to_owned(),
        timeline: 1,
    };
    let seen = see_cluster(target, clock, Duration::from_secs(1)).await;
    let undo = fault.prepare(target, &hit, &seen).await.unwrap();
    let f0 = clock.now();
    fault.inject(target, &hit, undo.as_ref()).await.unwrap();
    let f1 = clock.now();
    tokio::time::sleep(length).await;
    let h0 = clock.now();
    undo.release(target).await.unwrap();
    let h1 = clock.now();
    known(Break::Freeze, length, (f0, f1), (h0, h1))
}

/// Everything under way is reset, and everything new is refused.
pub async fn reset(link: &Link, server: SocketAddr, clock: Clock, length: Duration) -> Known {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let refusing = nobody.local_addr().unwrap();
    drop(nobody);
    let f0 = clock.now();
    link.retarget(refusing);
    link.reset_sessions();
    let f1 = clock.now();
    tokio::time::sleep(length).await;
    let h0 = clock.now();
    link.retarget(server);
    let h1 = clock.now();
    known(Break::Reset, length, (f0, f1), (h0, h1))
}

fn known(how: Break, length: Duration, fault: (Stamp, Stamp), heal: (Stamp, Stamp)) -> Known {
    let ms = |(from, to): (Stamp, Stamp)| (from.as_ms(), to.as_ms());
    Known {
        how,
        length,
        fault: ms(fault),
        heal: ms(heal),
        served_by: heal.1.as_ms(),
        quick: false,
    }
}
