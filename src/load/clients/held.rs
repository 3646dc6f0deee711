//! A client that holds a session and asks for nothing, listens, or waits for a long answer: it learns that
//! its session is lost when the network tells it, as a client without time-outs does. At the end of the
//! load it is asked whether it still lives.

use super::{Errand, Stop};
use crate::drill::clients::Does;
use crate::event::Stamp;
use crate::event::loads::ClientSaw;
use crate::sql::{Asks, Session, SqlError, Statement};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Between two tries to open a session.
const AGAIN: Duration = Duration::from_millis(100);
/// A long query takes this long, and is asked again then: what is left of one whose client died ends soon.
const LONG: Duration = Duration::from_secs(60);
/// How long the last question may take.
const LAST: Duration = Duration::from_millis(1500);

/// Opens a session, and holds it until it is lost or the load ends.
pub(super) async fn run(errand: Arc<Errand>, client: u32, mut stop: Stop) {
    let mut tries = 0;
    let mut errors = BTreeMap::new();
    let session = loop {
        tries += 1;
        let opened = tokio::select! {
            biased;
            opened = open(&errand) => opened,
            () = stop.reached() => return,
        };
        match opened {
            Ok(session) => break session,
            Err(error) => *errors.entry(error.class.name()).or_default() += 1,
        }
        tokio::select! {
            biased;
            () = stop.reached() => return,
            () = tokio::time::sleep(AGAIN) => {}
        }
    };
    let mut good = errand.clock.now();
    errand.saw(client, good, ClientSaw::Opened { tries, errors });
    let saw = match errand.does {
        Does::LongQuery => query(&errand, &session, &mut good, &mut stop).await,
        _ => wait(&session, good, &mut stop).await,
    };
    errand.saw(client, errand.clock.now(), saw);
}

async fn open(errand: &Errand) -> Result<Session, SqlError> {
    let session = errand.connect(errand.deadline).await?;
    if errand.does == Does::Listen {
        let listen = Statement::new("listen firedrill", Asks::Listen);
        session.query(listen, errand.deadline).await?;
    }
    Ok(session)
}

/// Says nothing until it is lost or the load ends; then it is used once.
async fn wait(session: &Session, good: Stamp, stop: &mut Stop) -> ClientSaw {
    tokio::select! {
        biased;
        error = session.gone() => return lost(&error, good),
        () = stop.reached() => {}
    }
    let question = Statement::new("select pg_is_in_recovery()", Asks::InRecovery);
    match session.query(question, LAST).await {
        Ok(_) => ClientSaw::Alive,
        Err(error) => ClientSaw::Hung {
            class: error.class.name(),
        },
    }
}

/// Waits for one long answer after the other.
async fn query(errand: &Errand, session: &Session, good: &mut Stamp, stop: &mut Stop) -> ClientSaw {
    let ms = LONG.as_millis() as u64;
    let seconds = LONG.as_secs();
    loop {
        let sleep = Statement::new(format!("select pg_sleep({seconds})"), Asks::Sleep { ms });
        tokio::select! {
            biased;
            // Nothing on the client's side ends the wait.
            answer = session.query(sleep, Duration::MAX) => match answer {
                Ok(_) => *good = errand.clock.now(),
                Err(error) => return lost(&error, *good),
            },
            () = stop.reached() => {
                let due = good.plus(LONG + LAST);
                return match errand.clock.now() > due {
                    true => ClientSaw::Hung { class: "statement deadline".to_owned() },
                    false => ClientSaw::Waiting,
                };
            }
        }
    }
}

fn lost(error: &SqlError, good: Stamp) -> ClientSaw {
    ClientSaw::Lost {
        class: error.class.name(),
        good,
    }
}
