//! A slow network that slows nothing down, or that nobody could prove.

use super::*;

#[test]
fn something_must_be_slow_and_provable() {
    insta::assert_snapshot!(steps(
        "  - baseline: { for: 5s }\n  - slow_network: { node: primary, id: a }\n  - slow_network: { node: standby, jitter: 20ms }\n  - slow_network: { node: standby, delay: 5s }\n  - slow_network: { node: standby, delay: 0s }\n"
    ), @"
     × this slows nothing down
      ╭─[drill.yaml:8:5]
    7 │   - baseline: { for: 5s }
    8 │   - slow_network: { node: primary, id: a }
      ·     ────────────
    9 │   - slow_network: { node: standby, jitter: 20ms }
      ╰────
     help: write at least one of delay, loss and rate, such as rate: 1mbit

     × jitter is more than the delay that it varies
       ╭─[drill.yaml:9:44]
     8 │   - slow_network: { node: primary, id: a }
     9 │   - slow_network: { node: standby, jitter: 20ms }
       ·                                            ────
    10 │   - slow_network: { node: standby, delay: 5s }
       ╰────
     help: write a delay that is at least as long

     × nobody could prove so long a delay in time
       ╭─[drill.yaml:10:43]
     9 │   - slow_network: { node: standby, jitter: 20ms }
    10 │   - slow_network: { node: standby, delay: 5s }
       ·                                           ──
    11 │   - slow_network: { node: standby, delay: 0s }
       ╰────
     help: write up to 1s

     × this slows nothing down
       ╭─[drill.yaml:11:43]
    10 │   - slow_network: { node: standby, delay: 5s }
    11 │   - slow_network: { node: standby, delay: 0s }
       ·                                           ──
       ╰────
     help: write at least one of delay, loss and rate, such as rate: 1mbit
    ");
    insta::assert_snapshot!(steps("  - baseline: { for: 5s }\n  - slow_network: { node: standby, loss: 0.05 }\n"), @r#"
     × "0.05" is no share: write it in percent, such as 5% or 0.5%
      ╭─[drill.yaml:8:42]
    7 │   - baseline: { for: 5s }
    8 │   - slow_network: { node: standby, loss: 0.05 }
      ·                                          ────
      ╰────
    "#);
    insta::assert_snapshot!(steps("  - baseline: { for: 5s }\n  - slow_network: { node: standby, rate: 1MiB }\n"), @r#"
     × "1MiB" is no rate: write a whole number and kbit, mbit or gbit (a second), such as 1mbit
      ╭─[drill.yaml:8:42]
    7 │   - baseline: { for: 5s }
    8 │   - slow_network: { node: standby, rate: 1MiB }
      ·                                          ────
      ╰────
    "#);
    insta::assert_snapshot!(steps("  - baseline: { for: 5s }\n  - slow_network: { node: standby, to: dcs, rate: 1mbit }\n"), @"
     × dcs is not known here
      ╭─[drill.yaml:8:40]
    7 │   - baseline: { for: 5s }
    8 │   - slow_network: { node: standby, to: dcs, rate: 1mbit }
      ·                                        ───
      ╰────
     help: here can be: clients, peers, all
    ");
    insta::assert_snapshot!(steps("  - baseline: { for: 5s }\n  - slow_network: { node: standby, to: peers, delay: 100ms, jitter: 20ms, loss: 5%, rate: 1mbit }\n"), @"nothing");
}
