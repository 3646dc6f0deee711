//! A way into the network of each node, kept open as long as the run lasts: a container of firedrill's own that shares
//! nothing but the node's network, made from the node's image, with one static program in it.
//!
//! A node that is started again has a new network, so the container is made anew then. While the node is down the old
//! one stays, and finds nobody. It carries the run's label; it ends when its input does, so with the runner, and
//! the engine removes it then.

use super::client::{Engine, EngineError, Rights, Visitor};
use super::facts::NodeFacts;
use super::lock::RUN;
use crate::target::TargetError;
use crate::target::inside::{self, Tunnel};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// How often a node is looked at, whether it has another life by now.
const LOOK: Duration = Duration::from_millis(250);
/// How long the engine may take to remove a container that has ended.
const REMOVED: Duration = Duration::from_secs(10);

/// The way into one node as it is now.
#[derive(Debug, Default)]
pub(super) struct Way(Mutex<Option<Open>>);

#[derive(Debug)]
struct Open {
    tunnel: Arc<Tunnel>,
    /// The container that the program runs in.
    container: String,
    /// The node's life that its network belongs to.
    life: String,
}

impl Way {
    /// The tunnel, while there is one.
    pub(super) fn tunnel(&self) -> Option<Arc<Tunnel>> {
        self.with(|open| open.as_ref().map(|open| Arc::clone(&open.tunnel)))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Option<Open>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The container that is there for another life of the node than `life`, or whose program is gone.
    fn is_of_another(&self, life: &str) -> bool {
        self.with(|open| match open {
            Some(open) => open.life != life || open.tunnel.is_gone(),
            None => true,
        })
    }
}

/// Keeps the ways open; dropping it closes them.
#[derive(Debug)]
pub(super) struct Visitors {
    engine: Engine,
    run: String,
    ways: Vec<Arc<Way>>,
    keeping: JoinSet<()>,
}

impl Visitors {
    /// Opens a way into each node.
    ///
    /// # Errors
    /// When one of them cannot be opened; none is left then.
    pub(super) async fn open(
        engine: &Engine,
        image: &str,
        run: &str,
        nodes: &[NodeFacts],
    ) -> Result<Self, TargetError> {
        let mut ways = Self {
            engine: engine.clone(),
            run: run.to_owned(),
            ways: nodes.iter().map(|_| Arc::default()).collect(),
            keeping: JoinSet::new(),
        };
        let opened = nodes.iter().zip(&ways.ways);
        let opened = opened.map(|(node, way)| enter(engine, image, run, node, way));
        let opened = futures_util::future::join_all(opened).await;
        if let Some(error) = opened.into_iter().find_map(Result::err) {
            // The first error decides; what the engine still removes carries the run's label.
            let _ = ways.close().await;
            return Err(error);
        }
        for (node, way) in nodes.iter().zip(&ways.ways) {
            let keep = keep(
                engine.clone(),
                image.to_owned(),
                run.to_owned(),
                node.clone(),
                Arc::clone(way),
            );
            ways.keeping.spawn(keep);
        }
        Ok(ways)
    }

    /// The ways, in the order of the nodes.
    pub(super) fn ways(&self) -> &[Arc<Way>] {
        &self.ways
    }

    /// Ends everything, and waits until the engine has removed it.
    ///
    /// # Errors
    /// When something is left; the text names it.
    pub(super) async fn close(&mut self) -> Result<(), TargetError> {
        self.keeping.shutdown().await;
        for way in &self.ways {
            way.with(|open| *open = None);
        }
        sweep(&self.engine, &self.run).await
    }
}

/// Ends and removes every container that a run made to look from.
///
/// # Errors
/// When one is left; the text names it.
pub(super) async fn sweep(engine: &Engine, run: &str) -> Result<(), TargetError> {
    let what = "remove the containers that firedrill looked from";
    let failed = |error: EngineError| TargetError::new(what, error);
    let begun = Instant::now();
    loop {
        let labels = [format!("{RUN}={run}"), Visitor::LABEL.to_owned()];
        let left = engine.labelled(&labels).await.map_err(failed)?;
        if left.is_empty() {
            return Ok(());
        }
        for container in &left {
            // It may have ended in between, and the engine may be removing it.
            let _ = engine.remove_running(container).await;
        }
        if begun.elapsed() >= REMOVED {
            return Err(TargetError::new(
                what,
                format!("{} is left", left.join(" and ")),
            ));
        }
        sleep(LOOK).await;
    }
}

/// Opens the way into a node for the life that it has now.
async fn enter(
    engine: &Engine,
    image: &str,
    run: &str,
    node: &NodeFacts,
    way: &Way,
) -> Result<(), TargetError> {
    let what = || format!("look from inside {}", node.name);
    let failed = |error: EngineError| TargetError::new(what(), error);
    let program = inside::program().ok_or_else(|| TargetError::new(what(), inside::MISSING))?;
    let life = engine.inspect(&node.id).await.map_err(failed)?.started_at;
    let labels = BTreeMap::from([
        (RUN.to_owned(), run.to_owned()),
        (Visitor::LABEL.to_owned(), node.name.clone()),
    ]);
    let visitor = engine.visit(&node.id, image, (program, &[]), Rights::Nobody, &labels);
    let visitor = visitor.await.map_err(failed)?;
    let tunnel = Tunnel::open(visitor.from, visitor.to)
        .await
        .map_err(|error| TargetError::new(what(), error.cause))?;
    let open = Open {
        tunnel: Arc::new(tunnel),
        container: visitor.id,
        life,
    };
    let before = way.with(|now| now.replace(open));
    if let Some(before) = before {
        // Its network is gone; whoever still waits in it learns that now.
        let _ = engine.remove_running(&before.container).await;
    }
    Ok(())
}

/// Enters a node again whenever it has a new life, or the program has died.
async fn keep(engine: Engine, image: String, run: String, node: NodeFacts, way: Arc<Way>) {
    loop {
        sleep(LOOK).await;
        let Ok(container) = engine.inspect(&node.id).await else {
            continue;
        };
        if container.running && way.is_of_another(&container.started_at) {
            // A node that ends again in between is looked at again.
            let _ = enter(&engine, &image, &run, &node, &way).await;
        }
    }
}
