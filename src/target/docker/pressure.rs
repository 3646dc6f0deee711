//! Pressing on nodes: their disks (`disk.rs`), processes beside their servers (`stress.rs`), and their clocks (`clock.rs`).
//!
//! Before anything is done, a container that is never started is made for it, with the run's label and what must be known to
//! undo it: by that it is found where the journal is lost, as the lock is.

use super::docker_target::DockerTarget;
use super::lock::RUN;
use super::stress::FILE;
use crate::figures::bytes;
use crate::target::{Pressed, Pressure, PressureSeen, TargetError, Wanted, Weight};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The label that only such containers carry: what presses.
const PRESSED: &str = "firedrill/pressed";
/// More processes than this show nothing more, and are hard to be rid of.
const MOST: u32 = 256;

#[async_trait]
impl Pressure for DockerTarget {
    async fn resolve(&self, node: &str, wanted: Wanted) -> Result<Pressed, TargetError> {
        let found = self.node(node)?;
        let mut before = None;
        let (weight, spot) = match wanted {
            Wanted::Clock { by_ms } => {
                // Each step remembers what it found: ended in any other order, one would bring the other back.
                let is_clock = |other: &Pressed| matches!(other.weight, Weight::Clock { .. });
                let all = self.all_pressed().await?;
                if all
                    .iter()
                    .any(|other| other.node == node && is_clock(other))
                {
                    return Err(TargetError::new(
                        format!("step the clock of {node}"),
                        "it is stepped already: undo that first",
                    ));
                }
                let (text, weight) = self.clock_before(found, by_ms).await?;
                before = Some(text);
                (weight, None)
            }
            Wanted::Fill { at_most, leave } => {
                let (spot, disk) = self.spot_beside(found).await?;
                self.may_be_filled(found, &disk, (at_most, leave)).await?;
                let free = disk.free;
                let weight = Weight::Fill {
                    at_most,
                    leave,
                    free,
                };
                (weight, Some(spot))
            }
            Wanted::Cpu { workers, expires } => {
                let workers = self.workers(node, workers).await?;
                let seconds = seconds(expires);
                (Weight::Cpu { workers, seconds }, None)
            }
            Wanted::Io { workers, expires } => {
                let workers = self.workers(node, workers).await?;
                let (spot, disk) = self.spot_beside(found).await?;
                let failed = |why: String| {
                    let what = format!("write to the disk of {node}");
                    Err(TargetError::new(what, why))
                };
                if disk.is_memory() {
                    return failed(
                        "its data lie in memory (tmpfs), and nothing that is written there goes to any disk: use a \
                         cluster whose data lie on one"
                            .to_owned(),
                    );
                }
                // The server needs some of its own meanwhile.
                let needs = FILE * (u64::from(workers) + 1);
                if disk.free < needs {
                    return failed(format!(
                        "{} are free there, and {workers} files of {} with as much beside them need {}: name fewer \
                         workers, or make room",
                        bytes(disk.free),
                        bytes(FILE),
                        bytes(needs)
                    ));
                }
                let seconds = seconds(expires);
                (Weight::Io { workers, seconds }, Some(spot))
            }
        };
        let number = self.marks.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Pressed {
            node: node.to_owned(),
            mark: format!("firedrill-{}-{number}", self.run),
            weight,
            spot,
            before,
        })
    }

    async fn press(&self, pressed: &Pressed) -> Result<(), TargetError> {
        let node = self.node(&pressed.node)?;
        self.write_down(pressed).await?;
        match (pressed.weight, &pressed.spot) {
            (Weight::Fill { at_most, leave, .. }, Some(spot)) => {
                let files = pressed.files().unwrap_or_default();
                let question = format!("fill {at_most} {leave} {files}fill");
                let asked = self.ask_disk(node, spot, ("fill the disk", &question));
                asked.await.map(|_| ())
            }
            (Weight::Clock { by_ms, set_ms, .. }, _) => {
                self.step_clock(node, set_ms.saturating_add(by_ms)).await
            }
            _ => self.start_stress(node, pressed).await,
        }
    }

    async fn pressing(&self, pressed: &Pressed) -> Result<PressureSeen, TargetError> {
        let node = self.node(&pressed.node)?;
        match (pressed.weight, &pressed.spot) {
            (Weight::Fill { .. }, Some(spot)) => {
                let folder = spot.stem.rsplit_once('/').map_or("", |(folder, _)| folder);
                let question = format!("free {folder}/");
                let said = self.ask_disk(node, spot, ("look at the disk", &question));
                let free = said.await?.parse().ok();
                Ok(PressureSeen {
                    free,
                    ..PressureSeen::default()
                })
            }
            (Weight::Clock { ahead_ms, .. }, _) => Ok(PressureSeen {
                stepped_ms: self.stepped_ms(node, ahead_ms).await,
                ..PressureSeen::default()
            }),
            _ => self.stress_seen(node, pressed).await,
        }
    }

    async fn relieve(&self, pressed: &Pressed) -> Result<(), TargetError> {
        let node = self.node(&pressed.node)?;
        match pressed.weight {
            Weight::Fill { .. } => {}
            Weight::Clock { .. } => self.set_clock_back(node, pressed).await?,
            Weight::Cpu { .. } | Weight::Io { .. } => self.end_stress(node, &pressed.mark).await?,
        }
        if let (Some(spot), Some(files)) = (&pressed.spot, pressed.files()) {
            let question = format!("remove {files}");
            let removed = self.ask_disk(node, spot, ("remove what lies on the disk", &question));
            removed.await?;
        }
        let removed = self.engine.remove(&pressed.mark).await;
        removed.map_err(|error| TargetError::new(format!("strike {} off", pressed.mark), error))
    }

    async fn pressing_still(&self, pressed: &Pressed) -> Result<Option<String>, TargetError> {
        let node = self.node(&pressed.node)?;
        let name = &pressed.node;
        match pressed.weight {
            Weight::Fill { .. } => {}
            Weight::Clock { ahead_ms, .. } => {
                if let Some(what) = self.clock_still(node, pressed, ahead_ms).await? {
                    return Ok(Some(what));
                }
            }
            Weight::Cpu { .. } | Weight::Io { .. } => {
                let left = self.stress_left(node, &pressed.mark).await?;
                if left > 0 {
                    return Ok(Some(format!("{left} processes still press on {name}")));
                }
            }
        }
        if let (Some(spot), Some(files)) = (&pressed.spot, pressed.files()) {
            let question = format!("count {files}");
            let said = self.ask_disk(node, spot, ("look at the disk", &question));
            let said = said.await?;
            if said != "0" {
                return Ok(Some(format!(
                    "{said} files still lie on the disk of {name}"
                )));
            }
        }
        if let Weight::Fill { leave, .. } = pressed.weight {
            let free = self.pressing(pressed).await?.free.unwrap_or_default();
            if free <= leave {
                return Ok(Some(format!(
                    "the file is gone, and only {} are free on the disk of {name}",
                    bytes(free)
                )));
            }
        }
        let listed = self.engine.inspect(&pressed.mark).await;
        match listed {
            Ok(_) => Ok(Some(format!("{} is not struck off", pressed.mark))),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => {
                let what = format!("look for {}", pressed.mark);
                Err(TargetError::new(what, error))
            }
        }
    }

    async fn all_pressed(&self) -> Result<Vec<Pressed>, TargetError> {
        let what = || format!("find what run {} pressed on nodes with", self.run);
        let labels = [format!("{RUN}={}", self.run), PRESSED.to_owned()];
        let found = self.engine.labelled(&labels).await;
        let found = found.map_err(|error| TargetError::new(what(), error))?;
        let mut all = Vec::new();
        for id in found {
            let container = match self.engine.inspect(&id).await {
                Ok(container) => container,
                Err(error) if error.is_missing() => continue,
                Err(error) => return Err(TargetError::new(what(), error)),
            };
            let text = container.labels.get(PRESSED).map(String::as_str);
            let pressed = serde_json::from_str(text.unwrap_or_default());
            all.push(pressed.map_err(|error| TargetError::new(what(), error))?);
        }
        Ok(all)
    }
}

/// Whole seconds, and one of them at least.
fn seconds(expires: Duration) -> u64 {
    expires.as_secs().max(1)
}

impl DockerTarget {
    async fn workers(&self, node: &str, wanted: Option<NonZeroU32>) -> Result<u32, TargetError> {
        match wanted {
            None => self.cpus_of(self.node(node)?).await,
            Some(wanted) if wanted.get() <= MOST => Ok(wanted.get()),
            Some(wanted) => Err(TargetError::new(
                format!("press on {node}"),
                format!("{wanted} processes are more than {MOST}: name fewer workers"),
            )),
        }
    }

    /// Makes the container by which it is found again.
    async fn write_down(&self, pressed: &Pressed) -> Result<(), TargetError> {
        let what = || format!("write down what is to press on {}", pressed.node);
        let node = self.node(&pressed.node)?;
        let image = self.look_at(node).await?.image;
        let text = serde_json::to_string(pressed);
        let text = text.map_err(|error| TargetError::new(what(), error))?;
        let labels = BTreeMap::from([
            (RUN.to_owned(), self.run.clone()),
            (PRESSED.to_owned(), text),
        ]);
        let made = self.engine.make_lock(&pressed.mark, &image, &labels).await;
        made.map_err(|error| TargetError::new(what(), error))
    }
}
