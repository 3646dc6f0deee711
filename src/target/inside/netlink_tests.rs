//! Messages of rtnetlink, byte by byte: as `struct nlmsghdr`, `rtmsg`, `ndmsg` and `rtattr` of the kernel's headers
//! lay them out on a little-endian machine.

use super::netlink::{Entry, NOBODY, Route, Said};
use super::netlink::{ask_entries, ask_route, drop_entry, read, set_nobody};
use std::net::Ipv4Addr;

const ETCD: Ipv4Addr = Ipv4Addr::new(198, 18, 141, 21);

fn hex(bytes: &[u8]) -> String {
    let words = bytes
        .chunks(4)
        .map(|word| word.iter().map(|byte| format!("{byte:02x}")).collect());
    words.collect::<Vec<String>>().join(" ")
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: String = hex.split_ascii_whitespace().collect();
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
#[cfg(target_endian = "little")]
fn requests_are_laid_out_as_the_kernel_reads_them() {
    // Length, kind and flags, number, port 0; then the body.
    insta::assert_snapshot!(hex(&ask_route(1, ETCD)), @"24000000 1a000100 01000000 00000000 02200000 00000000 00000000 08000100 c6128d15");
    insta::assert_snapshot!(hex(&set_nobody(2, 7, ETCD)), @"30000000 1c000505 02000000 00000000 02000000 07000000 80000000 08000100 c6128d15 0a000200 02666400 00010000");
    insta::assert_snapshot!(hex(&drop_entry(3, 7, ETCD)), @"24000000 1d000500 03000000 00000000 02000000 07000000 00000000 08000100 c6128d15");
    insta::assert_snapshot!(hex(&ask_entries(4)), @"1c000000 1e000103 04000000 00000000 02000000 00000000 00000000");
}

#[test]
#[cfg(target_endian = "little")]
fn answers_are_read_and_those_to_other_requests_left_out() {
    let entry = "3c000000 1c000200 09000000 01000000 02000000 07000000 80000001 08000100 c6128d15 \
         0a000200 02666400 00010000 08000400 00000000 00000000";
    let of_docker = "30000000 1c000200 09000000 01000000 02000000 08000000 02000001 08000100 c6128c01 \
         0a000200 0242c612 8c010000";
    let end = "14000000 03000200 09000000 01000000 00000000";
    let others = "24000000 02000000 08000000 01000000 ffffffff 24000000 1d000500 08000000 00000000";
    let all = bytes(&[others, entry, of_docker, end].join(" "));
    let ours = Entry {
        interface: 7,
        permanent: true,
        address: ETCD,
        nobody: true,
    };
    let gateway = Entry {
        interface: 8,
        permanent: false,
        address: Ipv4Addr::new(198, 18, 140, 1),
        nobody: false,
    };
    assert_eq!(
        read(&all, 9),
        [Said::Entry(ours), Said::Entry(gateway), Said::End]
    );
    // EPERM, as the kernel returns it.
    assert_eq!(read(&all, 8), [Said::Done(1)]);
    assert_eq!(read(&all, 7), []);
}

#[test]
#[cfg(target_endian = "little")]
fn a_route_says_whether_somebody_is_in_between() {
    let direct = "34000000 18000000 05000000 01000000 02200000 fe000001 00000000 08000f00 fe000000 \
         08000100 c6128d15 08000400 07000000";
    let routed = "34000000 18000000 05000000 01000000 02200000 fe000001 00000000 08000400 02000000 \
         08000100 08080808 08000500 c6128c01";
    let own = "2c000000 18000000 05000000 01000000 02200000 ff000002 00000000 08000400 01000000 \
         08000100 c6128d0b";
    let route = |to_one, interface, gateway| Route {
        to_one,
        interface,
        gateway,
    };
    let said = read(&bytes(&[direct, routed, own].join(" ")), 5);
    let by = Ipv4Addr::new(198, 18, 140, 1);
    assert_eq!(
        said,
        [
            Said::Route(route(true, 7, None)),
            Said::Route(route(true, 2, Some(by))),
            Said::Route(route(false, 1, None)),
        ]
    );
}

#[test]
fn what_is_cut_short_or_no_message_is_no_answer() {
    let whole = set_nobody(2, 7, ETCD);
    for length in 0..whole.len() {
        assert_eq!(read(&whole[..length], 2), [], "{length}");
    }
    assert_eq!(read(&[0; 64], 0), []);
    // A request reads as the entry that it asks for.
    let entry = read(&whole, 2);
    assert!(matches!(
        entry[..],
        [Said::Entry(Entry { nobody: true, .. })]
    ));
    // Set by hand, and no group address.
    assert_eq!(NOBODY[0] & 3, 2);
}
