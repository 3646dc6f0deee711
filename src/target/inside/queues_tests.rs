//! Messages about queues, byte by byte: as `struct tcmsg`, `tc_tbf_qopt`, `tc_netem_qopt` and `tc_netem_rate` of
//! `linux/pkt_sched.h` lay them out on a little-endian machine. What these same bytes do to a kernel, as `tc` tells it, is
//! in `tests/suite/docker/slow_network.rs` for a rate, and in `benches/netem/` for the rest.

use super::netlink::{Said, read};
use super::queues::{OURS, Slowness, Told};
use super::queues::{ask_addresses, ask_links, ask_queues, drop_queue, set_queue, try_queue};
use std::net::Ipv4Addr;

fn hex(bytes: &[u8]) -> String {
    let words = bytes
        .chunks(4)
        .map(|word| word.iter().map(|byte| format!("{byte:02x}")).collect());
    words.collect::<Vec<String>>().join(" ")
}

fn rate(rate: u64) -> Slowness {
    Slowness {
        rate,
        ..Slowness::default()
    }
}

#[test]
#[cfg(target_endian = "little")]
fn requests_are_laid_out_as_the_kernel_reads_them() {
    // Length, kind and flags, number, port 0; then family, interface, handle, parent, nothing.
    insta::assert_snapshot!(hex(&drop_queue(1, 7)), @"24000000 25000500 01000000 00000000 00000000 07000000 00006466 ffffffff 00000000");
    insta::assert_snapshot!(hex(&try_queue(2, "netem")), @"30000000 24000506 02000000 00000000 00000000 01000000 00006466 ffffffff 00000000 0a000100 6e657465 6d000000");
    insta::assert_snapshot!(hex(&ask_queues(3)), @"24000000 26000103 03000000 00000000 00000000 00000000 00000000 00000000 00000000");
    insta::assert_snapshot!(hex(&ask_addresses(4)), @"18000000 16000103 04000000 00000000 02000000 00000000");
    insta::assert_snapshot!(hex(&ask_links(5)), @"20000000 12000103 05000000 00000000 00000000 00000000 00000000 00000000");
    // 125,000 bytes a second: 0001e848; a burst of 1518 bytes; 50,000 may wait, and the burst.
    insta::assert_snapshot!(hex(&set_queue(6, (7, 1500), &rate(125_000))), @"60000000 24000506 06000000 00000000 00000000 07000000 00006466 ffffffff 00000000 08000100 74626600 34000200 28000100 00010000 00000000 48e80100 00000000 00000000 00000000 3ec90000 00000000 00000000 08000600 ee050000");
    // 100 and 20 ms in ticks of 64 ns and in nanoseconds, 5 % of 2^32 - 1.
    let late = Slowness {
        delay: 100_000,
        jitter: 20_000,
        loss: 50_000,
        rate: 0,
    };
    insta::assert_snapshot!(hex(&set_queue(7, (7, 1500), &late)), @"64000000 24000506 07000000 00000000 00000000 07000000 00006466 ffffffff 00000000 0a000100 6e657465 6d000000 34000200 84d71700 a0860100 cccccc0c 00000000 00000000 b4c40400 0c000a00 00e1f505 00000000 0c000b00 002d3101 00000000");
    let both = Slowness {
        delay: 50_000,
        ..rate(125_000)
    };
    insta::assert_snapshot!(hex(&set_queue(8, (7, 1500), &both)), @"78000000 24000506 08000000 00000000 00000000 07000000 00006466 ffffffff 00000000 0a000100 6e657465 6d000000 48000200 c2eb0b00 26000000 00000000 00000000 00000000 00000000 14000600 48e80100 00000000 00000000 00000000 0c000a00 80f0fa02 00000000 0c000b00 00000000 00000000");
}

#[test]
fn a_rate_alone_asks_for_what_more_kernels_have() {
    assert_eq!(rate(1).kind(), "tbf");
    for of in 0..3 {
        let mut how = rate(1);
        *[&mut how.delay, &mut how.jitter, &mut how.loss][of] = 1;
        assert_eq!(how.kind(), "netem");
    }
    // No number of the kernel's own choice, and a major number alone.
    const { assert!(OURS >> 16 < 0x8000 && OURS & 0xffff == 0) };
}

#[test]
fn a_request_reads_as_the_queue_that_it_asks_for() {
    let set = set_queue(6, (7, 1500), &rate(125_000));
    let told = Said::Told(Told::Queue {
        interface: 7,
        handle: OURS,
        kind: "tbf".to_owned(),
    });
    assert_eq!(read(&set, 6), [told]);
    for length in 0..set.len() {
        assert_eq!(read(&set[..length], 6), [], "{length}");
    }
    // One within a queue stands before no interface.
    let mut within = set;
    within[28..32].copy_from_slice(&0x0005_0001_u32.to_ne_bytes());
    assert_eq!(read(&within, 6), [Said::Other]);
}

#[test]
#[cfg(target_endian = "little")]
fn addresses_and_lengths_are_read() {
    let bytes = |hex: &str| -> Vec<u8> {
        let digits: String = hex.split_ascii_whitespace().collect();
        let pairs = digits.as_bytes().chunks(2);
        pairs
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    };
    let address =
        "28000000 14000200 09000000 01000000 02188000 07000000 08000100 c6128d0b 08000200 c6128d0b";
    let link =
        "28000000 10000200 09000000 01000000 00000100 07000000 43100100 00000000 08000400 dc050000";
    let said = read(&bytes(&[address, link].join(" ")), 9);
    assert_eq!(
        said,
        [
            Said::Told(Told::Address {
                interface: 7,
                address: Ipv4Addr::new(198, 18, 141, 11),
            }),
            Said::Told(Told::Length {
                interface: 7,
                mtu: 1500,
            }),
        ]
    );
}
