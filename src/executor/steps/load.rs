//! `load`: sets clients going. Those that hold a session have it before the first fault strikes; later on,
//! whoever is served is served.

use crate::drill::clients::{Does, Load};
use crate::event::StepOutcome;
use crate::executor::step_runner::StepRunner;
use crate::plan::step::Step;

/// Starts them; before the first fault it waits for their sessions.
pub(super) async fn carry_out(runner: &mut StepRunner, step: &Step, load: &Load) -> StepOutcome {
    if let Err(why) = runner.loads.start(&step.id, load).await {
        return runner.over_early(why);
    }
    let holds = !matches!(load.does, Does::Write { .. } | Does::Read { .. });
    if !holds || runner.proven {
        return StepOutcome::Done;
    }
    let Some(clients) = runner.loads.of(&step.id) else {
        return StepOutcome::Done;
    };
    match tokio::time::timeout(load.within.get(), clients.all_open()).await {
        Ok(()) => StepOutcome::Done,
        Err(_) => {
            let why = format!("after {} {}", load.within, clients.how_open());
            runner.over_early(why)
        }
    }
}
