//! HAProxy's statistics as CSV: to which servers a proxy sends clients (HAProxy Management Guide, 9.1 "CSV format").

use crate::load::{Asking, Page, ask_page};
use std::time::Duration;

/// The servers of a proxy that are up, by their names in its configuration.
///
/// # Errors
/// When it does not answer in time, or does not know the proxy.
pub async fn servers_up(
    page: &Page,
    proxy: &str,
    deadline: Duration,
) -> Result<Vec<String>, String> {
    match ask_page(page, &Asking::default(), deadline).await {
        Ok(answer) => parse(&answer.text, proxy),
        Err(class) => Err(format!("HAProxy: {}", class.name())),
    }
}

/// Only the first line names the columns, and newer versions add to them.
fn parse(text: &str, proxy: &str) -> Result<Vec<String>, String> {
    let mut lines = text.lines();
    let names: Vec<&str> = lines
        .next()
        .map(|line| line.trim_start_matches("# ").split(',').collect())
        .unwrap_or_default();
    let column = |name: &str| {
        let at = names.iter().position(|each| *each == name);
        at.ok_or_else(|| format!("these are no statistics of HAProxy: there is no column {name}"))
    };
    let (of, server, status) = (column("pxname")?, column("svname")?, column("status")?);
    let mut known = false;
    let mut up = Vec::new();
    for line in lines {
        let fields: Vec<&str> = line.split(',').collect();
        let field = |at: usize| fields.get(at).copied().unwrap_or_default();
        if field(of) != proxy {
            continue;
        }
        known = true;
        let summary = matches!(field(server), "FRONTEND" | "BACKEND");
        // "UP 1/3" is on its way down and still gets clients.
        if !summary && field(status).starts_with("UP") {
            up.push(field(server).to_owned());
        }
    }
    match known {
        true => Ok(up),
        false => Err(format!("HAProxy has no proxy {proxy}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "# pxname,svname,qcur,status,weight\n\
        stats,FRONTEND,,OPEN,\n\
        writer,FRONTEND,,OPEN,\n\
        writer,postgres-1,0,DOWN,1\n\
        writer,postgres-2,0,UP 1/3,1\n\
        writer,postgres-3,0,DOWN 1/2,1\n\
        writer,BACKEND,0,UP,1\n\
        reader,postgres-3,0,UP,1\n";

    #[test]
    fn only_servers_of_the_proxy_that_get_clients() {
        assert_eq!(parse(SAID, "writer").unwrap(), ["postgres-2"]);
        assert_eq!(parse(SAID, "reader").unwrap(), ["postgres-3"]);
    }

    #[test]
    fn what_is_something_else_is_refused() {
        assert_eq!(
            parse(SAID, "orders").unwrap_err(),
            "HAProxy has no proxy orders"
        );
        for text in ["", "<html>", "# pxname,svname\nwriter,x\n"] {
            assert!(
                parse(text, "writer").unwrap_err().contains("no column"),
                "{text}"
            );
        }
    }
}
