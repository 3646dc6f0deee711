//! `ask`: a decision of a person, and what follows from it.

use crate::drill::ask::Ask;
use crate::event::answer::Way;
use crate::event::{Answered, Asked, Event, StepOutcome};
use crate::executor::step_runner::StepRunner;
use crate::plan::step::Step;

/// Asks, waits and records. An answer that ends the drill is left for the runner to act on.
pub(super) async fn carry_out(runner: &mut StepRunner, step: &Step, ask: &Ask) -> StepOutcome {
    runner.emit(Event::Asked(Asked {
        step: step.id.clone(),
        who: ask.who.clone(),
        question: ask.question.clone(),
        answers: ask.answers.clone(),
        within_ms: ask.within.as_ms(),
        counts: ask.counts,
    }));
    let refused = |text| {
        runner.emit(Event::StepNoted {
            step: step.id.clone(),
            text,
        });
    };
    let wait = runner.answers.wait(&step.id, ask, &runner.folder, refused);
    let (answer, by, way) = match tokio::time::timeout(ask.within.get(), wait).await {
        Ok(answered) => answered,
        Err(_) => match &ask.otherwise {
            Some(word) => (word.clone(), "nobody".to_owned(), Way::Otherwise),
            None => {
                return runner
                    .over_early(format!("{} gave no answer within {}", ask.who, ask.within));
            }
        },
    };
    let stops = ask.stops(&answer);
    let answered = Answered {
        step: step.id.clone(),
        answer,
        by,
        way,
        stops,
    };
    if stops {
        runner.asked_to_end = Some(answered.clone());
    }
    runner.emit(Event::Answered(answered));
    StepOutcome::Done
}
