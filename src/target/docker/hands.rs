//! Containers of firedrill's own in the networks of others, with the static program that loses packets there, sends and
//! listens (`inside/program/packets.rs`): line by line, one question and one answer.
//!
//! Who is only to send and to listen has no rights at all; who is to lose packets may change that one network; who is on
//! volumes has no network and is the user that the server is (`inside/program/disk.rs`). All carry the run's label, by which they are swept, and end with their input. What was set in a network stays set.

use super::client::{Engine, EngineError, Rights, Said, Told, Visitor};
use super::docker_target::DockerTarget;
use super::lock::RUN;
use crate::target::TargetError;
use crate::target::inside;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::time::timeout;

/// The label of those that may change a network.
const RIGHTS: &str = "firedrill/rights";
/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(5);

/// A program in the network of one life of a container, or on its volumes.
pub(super) struct Hand {
    /// The container whose network it is.
    place: String,
    life: String,
    rights: Rights,
    from: BufReader<Said>,
    to: Told,
}

impl std::fmt::Debug for Hand {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Hand")
            .field("place", &self.place)
            .field("rights", &self.rights)
            .finish_non_exhaustive()
    }
}

/// Those that nobody uses at the moment.
#[derive(Debug, Default)]
pub(super) struct Hands(Mutex<Vec<Hand>>);

impl Hands {
    fn with<T>(&self, act: impl FnOnce(&mut Vec<Hand>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends all of them.
    pub(super) fn close(&self) {
        self.with(Vec::clear);
    }

    /// Takes one that may do at least this. Whoever drops it ends it, so that one whose answer was not waited for is
    /// never asked again.
    fn take(&self, place: &str, life: &str, rights: Rights) -> Option<Hand> {
        self.with(|hands| {
            hands.retain(|hand| hand.place != place || hand.life == life);
            let fits = |hand: &Hand| {
                hand.place == place && (hand.rights == Rights::Network || rights == Rights::Nobody)
            };
            let at = hands.iter().position(fits)?;
            Some(hands.swap_remove(at))
        })
    }
}

impl Hand {
    async fn open(
        engine: &Engine,
        run: &str,
        (place, name): (&str, &str),
        (life, image): (String, &str),
        rights: Rights,
    ) -> Result<Self, TargetError> {
        let what = || match rights {
            Rights::Network => format!("change the network of {name}"),
            Rights::Nobody => format!("listen in the network of {name}"),
            Rights::Volumes(..) => format!("look at the disks of {name}"),
        };
        let (words, hello) = match rights {
            Rights::Volumes(..) => (["disk"], "firedrill-disk/1"),
            Rights::Network | Rights::Nobody => (["packets"], "firedrill-packets/1"),
        };
        let failed = |error: EngineError| TargetError::new(what(), error);
        let program = inside::program().ok_or_else(|| TargetError::new(what(), inside::MISSING))?;
        let mut labels = BTreeMap::from([
            (RUN.to_owned(), run.to_owned()),
            (Visitor::LABEL.to_owned(), name.to_owned()),
        ]);
        if rights == Rights::Network {
            labels.insert(RIGHTS.to_owned(), "NET_ADMIN".to_owned());
        }
        let visitor = engine.visit(place, image, (program, &words), rights, &labels);
        let visitor = visitor.await.map_err(failed)?;
        let mut hand = Self {
            place: place.to_owned(),
            life,
            rights,
            from: BufReader::new(visitor.from),
            to: visitor.to,
        };
        match hand.line(ANSWER).await {
            Ok(line) if line == hello => Ok(hand),
            Ok(line) => Err(TargetError::new(
                what(),
                format!("the program there speaks another version: {line}"),
            )),
            Err(why) => Err(TargetError::new(what(), why)),
        }
    }

    async fn line(&mut self, limit: Duration) -> Result<String, String> {
        let mut line = String::new();
        match timeout(limit, self.from.read_line(&mut line)).await {
            Ok(Ok(1..)) => Ok(line.trim_end().to_owned()),
            Ok(Ok(0)) => Err("the program there has ended".to_owned()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer in {} s", limit.as_secs())),
        }
    }

    /// One question and its answer.
    ///
    /// # Errors
    /// The program's own, or that it does not answer.
    pub(super) async fn ask(&mut self, question: &str) -> Result<String, String> {
        self.ask_within(question, ANSWER).await
    }

    /// The same, where the answer may take longer.
    ///
    /// # Errors
    /// The program's own, or that it does not answer.
    pub(super) async fn ask_within(
        &mut self,
        question: &str,
        limit: Duration,
    ) -> Result<String, String> {
        let line = format!("{question}\n");
        let told = async {
            self.to.write_all(line.as_bytes()).await?;
            self.to.flush().await
        };
        match timeout(ANSWER, told).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => return Err("the program there does not listen".to_owned()),
        }
        let answer = self.line(limit).await?;
        match answer.strip_prefix("error: ") {
            Some(why) => Err(why.to_owned()),
            None => Ok(answer),
        }
    }
}

impl DockerTarget {
    /// A hand in each of these containers' networks, by their ids; none where a container does not run, whose network
    /// is gone with all that was set in it.
    ///
    /// # Errors
    /// When the engine lets nobody in.
    pub(super) async fn hands_in(
        &self,
        places: &BTreeMap<String, (String, Rights)>,
    ) -> Result<BTreeMap<String, Hand>, TargetError> {
        let opened = places
            .iter()
            .map(|(place, (name, rights))| self.hand_in(place, name, *rights));
        let opened = futures_util::future::join_all(opened).await;
        let mut hands = BTreeMap::new();
        for hand in opened {
            if let Some(hand) = hand? {
                hands.insert(hand.place.clone(), hand);
            }
        }
        Ok(hands)
    }

    async fn hand_in(
        &self,
        place: &str,
        name: &str,
        rights: Rights,
    ) -> Result<Option<Hand>, TargetError> {
        let container = match self.engine.inspect(place).await {
            Ok(container) if container.running => container,
            Ok(_) => return Ok(None),
            Err(error) if error.is_missing() => return Ok(None),
            Err(error) => return Err(TargetError::new(format!("look at {name}"), error)),
        };
        if let Some(hand) = self.hands.take(place, &container.started_at, rights) {
            return Ok(Some(hand));
        }
        let life = (container.started_at.clone(), container.image.as_str());
        let opened = Hand::open(&self.engine, &self.run, (place, name), life, rights);
        opened.await.map(Some)
    }

    /// A hand on the volumes of a container, as this user, whether or not the container runs. It is not kept: as long as
    /// it is there, so are those volumes.
    ///
    /// # Errors
    /// When the engine lets nobody in.
    pub(super) async fn hand_on_volumes(
        &self,
        node: &super::docker_target::Node,
        user: (u32, u32),
    ) -> Result<Hand, TargetError> {
        let container = self.look_at(node).await?;
        let (name, id) = (node.facts.name.as_str(), node.facts.id.as_str());
        let life = (container.started_at.clone(), container.image.as_str());
        let rights = Rights::Volumes(user.0, user.1);
        Hand::open(&self.engine, &self.run, (id, name), life, rights).await
    }

    /// Keeps hands for whoever needs them next: all of them have answered.
    pub(super) fn keep(&self, hands: BTreeMap<String, Hand>) {
        self.hands.with(|idle| idle.extend(hands.into_values()));
    }
}
