//! What is wrong with loads.

use super::*;

#[test]
fn what_its_own_clients_do() {
    let text = "  - load: { clients: 4, does: { write: { every: 50ms } } }\n  \
        - baseline: { for: 5s }\n  \
        - load: { id: storm, clients: 0, does: { reconnect: { again: 1ms } }, for: 0s }\n  \
        - load: { clients: 2, does: sleep }\n";
    insta::assert_snapshot!(steps(text), @"
     × sleep is not known here
       ╭─[drill.yaml:10:31]
     9 │   - load: { id: storm, clients: 0, does: { reconnect: { again: 1ms } }, for: 0s }
    10 │   - load: { clients: 2, does: sleep }
       ·                               ─────
       ╰────
     help: here can be: write, read, reconnect, idle, listen, long_query
    ");
    let text = "  - baseline: { for: 5s }\n  \
        - load: { id: storm, clients: 0, does: { reconnect: { again: 1ms } }, for: 0s }\n  \
        - wait: { until: loads.strom.ended, within: 5s }\n  \
        - load: { clients: 2, does: listen }\n  \
        - baseline: { for: 5s }\n";
    insta::assert_snapshot!(steps(text), @"
     × a load without clients is none
      ╭─[drill.yaml:8:33]
    7 │   - baseline: { for: 5s }
    8 │   - load: { id: storm, clients: 0, does: { reconnect: { again: 1ms } }, for: 0s }
      ·                                 ─
    9 │   - wait: { until: loads.strom.ended, within: 5s }
      ╰────

     × a client does not ask more often than every 10ms
      ╭─[drill.yaml:8:64]
    7 │   - baseline: { for: 5s }
    8 │   - load: { id: storm, clients: 0, does: { reconnect: { again: 1ms } }, for: 0s }
      ·                                                                ─┬─
      ·                                                                 ╰── expected at least 10ms
    9 │   - wait: { until: loads.strom.ended, within: 5s }
      ╰────
     help: for more requests, have more clients

     × for must be more than nothing
      ╭─[drill.yaml:8:78]
    7 │   - baseline: { for: 5s }
    8 │   - load: { id: storm, clients: 0, does: { reconnect: { again: 1ms } }, for: 0s }
      ·                                                                              ──
    9 │   - wait: { until: loads.strom.ended, within: 5s }
      ╰────

     × no step is a load called strom
       ╭─[drill.yaml:9:20]
     8 │   - load: { id: storm, clients: 0, does: { reconnect: { again: 1ms } }, for: 0s }
     9 │   - wait: { until: loads.strom.ended, within: 5s }
       ·                    ────────┬────────
       ·                            ╰── did you mean storm?
    10 │   - load: { clients: 2, does: listen }
       ╰────

     × a baseline after a fault or a load measures that
       ╭─[drill.yaml:11:5]
    10 │   - load: { clients: 2, does: listen }
    11 │   - baseline: { for: 5s }
       ·     ────────
       ╰────
    ");
    let text = "  - load: { clients: 4, does: { write: { every: 50ms } } }\n  \
        - baseline: { for: 5s }\n";
    insta::assert_snapshot!(steps(text), @"
     × there is no baseline before this
      ╭─[drill.yaml:7:5]
    6 │ steps:
    7 │   - load: { clients: 4, does: { write: { every: 50ms } } }
      ·     ──┬─
      ·       ╰── what is normal must be known before something disturbs it
    8 │   - baseline: { for: 5s }
      ╰────
     help: begin with `- baseline: { for: 5s }`

     × a baseline after a fault or a load measures that
      ╭─[drill.yaml:8:5]
    7 │   - load: { clients: 4, does: { write: { every: 50ms } } }
    8 │   - baseline: { for: 5s }
      ·     ────────
      ╰────
    ");
}
