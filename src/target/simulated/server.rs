//! The ways to a simulated server, and the sessions over them.

use super::backend::{Said, reset};
use super::simulation::Simulation;
use super::state::{Door, State};
use crate::sql::{Answer, Asks, SimulatedServer, SimulatedSession, SqlError};
use crate::target::local::routes::{Routes, Side, Way};
use async_trait::async_trait;
use std::fmt;
use std::sync::Arc;

/// Through what a client comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    /// Inside the node's own network: no cut is in the way.
    Inside,
    /// As clients and the router come.
    Clients,
    /// As the other nodes and the agent come.
    Peers,
}

/// One node over one path.
#[derive(Clone)]
pub(super) struct NodeDoor {
    pub(super) simulation: Arc<Simulation>,
    pub(super) node: usize,
    pub(super) name: String,
    pub(super) path: Path,
}

/// An endpoint of the router.
pub(super) struct EndpointDoor {
    pub(super) simulation: Arc<Simulation>,
    pub(super) routes: Arc<Routes>,
    pub(super) side: Side,
}

/// A session with a backend of a node.
struct NodeSession {
    door: NodeDoor,
    process: i32,
    /// Of the router, where it came that way.
    way: Option<Way>,
}

impl fmt::Debug for NodeSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session {} with {}", self.process, self.door.name)
    }
}

impl NodeDoor {
    /// Half the way, and then as long as the path is cut.
    async fn travel(&self) {
        tokio::time::sleep(self.simulation.half_way()).await;
        self.simulation
            .until(|state, _| {
                let node = state.nodes.get(self.node)?;
                let cut = match self.path {
                    Path::Inside => false,
                    Path::Clients => node.cut_from_clients,
                    Path::Peers => node.cut_from_peers,
                };
                (!cut).then_some(())
            })
            .await;
    }

    async fn enter(&self, application: &str) -> Result<i32, SqlError> {
        self.travel().await;
        // Several messages go to and fro before a session is ready.
        self.travel().await;
        let door = self
            .simulation
            .until(|state, now| state.log_in(self.node, application, now));
        match door.await {
            Door::Open(process) => Ok(process),
            Door::Shut(error) => Err(error),
        }
    }

    fn session(&self, process: i32, way: Option<Way>) -> Box<dyn SimulatedSession> {
        Box::new(NodeSession {
            door: self.clone(),
            process,
            way,
        })
    }
}

#[async_trait]
impl SimulatedServer for NodeDoor {
    fn name(&self) -> String {
        self.name.clone()
    }

    async fn reach(&self) -> Result<(), SqlError> {
        self.travel().await;
        let refused = self.simulation.with(|state, _| {
            let up = state.nodes.get(self.node).and_then(|node| node.up.as_ref());
            up.is_none()
        });
        if refused {
            let text = "Connection refused (os error 111)";
            let class = crate::event::slots::ErrorClass::Refused;
            return Err(SqlError::new(class, false, text));
        }
        Ok(())
    }

    async fn log_in(
        &self,
        _user: &str,
        application: &str,
    ) -> Result<Box<dyn SimulatedSession>, SqlError> {
        let process = self.enter(application).await?;
        Ok(self.session(process, None))
    }
}

#[async_trait]
impl SimulatedServer for EndpointDoor {
    fn name(&self) -> String {
        match self.side {
            Side::Writer => "writer endpoint".to_owned(),
            Side::Reader => "reader endpoint".to_owned(),
        }
    }

    /// The router itself never refuses.
    async fn reach(&self) -> Result<(), SqlError> {
        tokio::time::sleep(self.simulation.half_way()).await;
        Ok(())
    }

    async fn log_in(
        &self,
        _user: &str,
        application: &str,
    ) -> Result<Box<dyn SimulatedSession>, SqlError> {
        let Some(way) = self.routes.next(self.side) else {
            return Err(reset(false));
        };
        let name = way.to.0.clone();
        let Some(node) = self.simulation.with(|state, _| state.find(&name)) else {
            return Err(reset(false));
        };
        let door = NodeDoor {
            simulation: Arc::clone(&self.simulation),
            node,
            name,
            path: Path::Clients,
        };
        let entered = tokio::select! {
            biased;
            () = way.closed() => Err(reset(false)),
            entered = door.enter(application) => entered,
        };
        match entered {
            Ok(process) => Ok(door.session(process, Some(way))),
            // The words of a server come through; a refusal of its system does not.
            Err(error) if error.state.is_some() => Err(error),
            Err(_) => Err(reset(false)),
        }
    }
}

impl NodeSession {
    async fn say(&self, asks: Asks) -> Result<Said, SqlError> {
        let (door, process) = (&self.door, self.process);
        let spoken = async {
            door.travel().await;
            let answered = door.simulation.submit(door.node, process, asks)?;
            let said = answered.await;
            door.travel().await;
            said.unwrap_or_else(|_| Err(reset(true)))
        };
        match &self.way {
            None => spoken.await,
            Some(way) => tokio::select! {
                biased;
                () = way.closed() => Err(reset(true)),
                said = spoken => said,
            },
        }
    }
}

fn odd() -> SqlError {
    SqlError::of_state("XX000", true, "an answer of another shape".to_owned())
}

#[async_trait]
impl SimulatedSession for NodeSession {
    async fn ask(&self, asks: Asks) -> Result<Answer, SqlError> {
        match self.say(asks).await? {
            Said::Rows(answer) => Ok(answer),
            Said::Pairs(_) => Err(odd()),
        }
    }

    async fn pairs(&self, asks: Asks) -> Result<Vec<(i32, i64)>, SqlError> {
        match self.say(asks).await? {
            Said::Pairs(pairs) => Ok(pairs),
            Said::Rows(_) => Err(odd()),
        }
    }

    fn backend(&self) -> i32 {
        self.process
    }

    fn ended(&self) -> Option<SqlError> {
        let routed_away = self.way.as_ref().is_some_and(Way::is_closed);
        let gone = self.door.simulation.with(|state, _| self.is_gone(state));
        (routed_away || gone).then(|| reset(false))
    }

    async fn gone(&self) -> SqlError {
        let server = self
            .door
            .simulation
            .until(|state, _| self.is_gone(state).then_some(()));
        match &self.way {
            None => server.await,
            Some(way) => tokio::select! {
                biased;
                () = way.closed() => {}
                () = server => {}
            },
        }
        reset(false)
    }
}

impl NodeSession {
    /// Whether the end of its backend can be known. Nothing of that comes through a cut.
    fn is_gone(&self, state: &State) -> bool {
        let Some(node) = state.nodes.get(self.door.node) else {
            return false;
        };
        let cut = match self.door.path {
            Path::Inside => false,
            Path::Clients => node.cut_from_clients,
            Path::Peers => node.cut_from_peers,
        };
        !cut && !state.has_backend(self.door.node, self.process)
    }
}

impl Drop for NodeSession {
    fn drop(&mut self) {
        let door = &self.door;
        door.simulation
            .with(|state, _| state.close(door.node, self.process));
    }
}
