//! `net/ipv6_route` against /proc/net/ipv6_route and the routes that were added.

use iterfs_tests::fixtures::netns::{in_new_net_namespace, run};
use iterfs_tests::oracles::columns::{Columns, find, select};
use iterfs_tests::oracles::steady::steadily;
use iterfs_tests::{Mount, Row};
use serde_json::{Value, json};
use std::fs;
use std::net::Ipv6Addr;

const TABLE: &str = "net/ipv6_route";

/// The flags by their bits, lowest first.
const FLAGS: [(u32, &str); 24] = [
    (0x1, "UP"),
    (0x2, "GATEWAY"),
    (0x4, "HOST"),
    (0x8, "REINSTATE"),
    (0x10, "DYNAMIC"),
    (0x20, "MODIFIED"),
    (0x40, "MTU"),
    (0x80, "WINDOW"),
    (0x100, "IRTT"),
    (0x200, "REJECT"),
    (0x1_0000, "DEFAULT"),
    (0x2_0000, "ALLONLINK"),
    (0x4_0000, "ADDRCONF"),
    (0x8_0000, "PREFIX_RT"),
    (0x10_0000, "ANYCAST"),
    (0x20_0000, "NONEXTHOP"),
    (0x40_0000, "EXPIRES"),
    (0x80_0000, "ROUTEINFO"),
    (0x100_0000, "CACHE"),
    (0x200_0000, "FLOW"),
    (0x400_0000, "POLICY"),
    (0x800_0000, "RA_OFFLOAD"),
    (0x4000_0000, "PCPU"),
    (0x8000_0000, "LOCAL"),
];

fn oracle() -> Vec<String> {
    let text = fs::read_to_string("/proc/thread-self/net/ipv6_route").expect("a table of routes");
    text.lines().map(str::to_owned).collect()
}

/// Reads the table while /proc's stays the same.
fn quiet(mount: &Mount) -> (Vec<Row>, Vec<String>) {
    let (_, rows, lines) = steadily(oracle, || mount.rows(TABLE), PartialEq::eq);
    (rows, lines)
}

fn compare(rows: &[Row], lines: &[String]) {
    assert_eq!(rows.len(), lines.len());
    for (row, line) in rows.iter().zip(lines) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let number = |index: usize| u32::from_str_radix(fields[index], 16).expect("a number");
        let address = |index: usize| {
            let bits = u128::from_str_radix(fields[index], 16).expect("an address");
            Ipv6Addr::from_bits(bits)
        };
        let gateway = Some(address(4)).filter(|gateway| !gateway.is_unspecified());
        let flags: Vec<&str> = FLAGS
            .into_iter()
            .filter_map(|(bit, name)| (number(8) & bit != 0).then_some(name))
            .collect();
        Columns::of(row)
            .is("destination", address(0).to_string())
            .is("prefix", number(1))
            .is("source", address(2).to_string())
            .is("source_prefix", number(3))
            .is("gateway", gateway.map(|gateway| gateway.to_string()))
            .is("metric", number(5))
            .is("refs", number(6))
            .is("flags", json!(flags))
            .is("device", fields.get(9).copied().unwrap_or_default())
            .done();
    }
}

#[test]
fn the_hosts_routes_are_as_proc_has_them() {
    let mount = Mount::new();
    let (rows, lines) = quiet(&mount);
    compare(&rows, &lines);
}

#[test]
fn routes_of_every_kind_are_as_proc_has_them() {
    let mount = Mount::new();
    in_new_net_namespace(|| {
        for command in [
            "ip link set lo up",
            "ip link add left type veth peer name right",
            "ip link set left up",
            "ip link set right up",
            "ip -6 addr add 2001:db8:1::1/64 dev left nodad",
            "ip -6 addr add 2001:db8:2::1/64 dev right nodad",
            "ip -6 route add 2001:db8:a::/48 via 2001:db8:1::2 metric 7",
            "ip -6 route add default via 2001:db8:1::3",
            "ip -6 route add 2001:db8:b::/48 dev left mtu 1400",
            "ip -6 route add 2001:db8:c::1/128 dev right metric 4294967295",
            "ip -6 route add unreachable 2001:db8:d::/48",
            "ip -6 route add blackhole 2001:db8:d1::/48",
            "ip -6 route add prohibit 2001:db8:d2::/48",
            "ip -6 route add 2001:db8:e::/48 from 2001:db8:1::/64 via 2001:db8:1::2",
            "ip -6 route add 2001:db8:f::/48 nexthop via 2001:db8:1::2 nexthop via 2001:db8:2::2",
            "ip -6 route add local 2001:db8:10::1 dev lo",
            "ip -6 route add 2001:db8:11::/48 dev left expires 1000",
            "ip nexthop add id 1 via 2001:db8:1::9 dev left",
            "ip nexthop add id 2 via 2001:db8:2::9 dev right",
            "ip -6 nexthop add id 3 blackhole",
            "ip -6 nexthop add id 4 dev right",
            "ip nexthop add id 10 group 2/1",
            "ip nexthop add id 11 group 1,3/2,200",
            "ip -6 route add 2001:db8:20::/48 nhid 1",
            "ip -6 route add 2001:db8:21::/48 nhid 3",
            "ip -6 route add 2001:db8:22::/48 nhid 4",
            "ip -6 route add 2001:db8:23::/48 nhid 10",
            "ip -6 route add 2001:db8:24::/48 nhid 11",
            // In another routing table: /proc walks them all.
            "ip -6 route add 2001:db8:30::/48 via 2001:db8:1::2 table 77",
        ] {
            run(command);
        }
        let (rows, lines) = quiet(&mount);
        compare(&rows, &lines);

        let to = |destination: &str| find(&rows, &[("destination", destination.into())]);
        let hop = |destination: &str| {
            let row = to(destination);
            (row["gateway"].clone(), row["device"].clone())
        };
        let expected = |gateway: Value, device: &str| (gateway, json!(device));
        assert_eq!(
            hop("2001:db8:a::"),
            expected(json!("2001:db8:1::2"), "left")
        );
        assert_eq!(hop("2001:db8:b::"), expected(Value::Null, "left"));
        assert_eq!(
            hop("2001:db8:20::"),
            expected(json!("2001:db8:1::9"), "left")
        );
        assert_eq!(hop("2001:db8:22::"), expected(Value::Null, "right"));
        assert_eq!(
            hop("2001:db8:23::"),
            expected(json!("2001:db8:2::9"), "right")
        );
        assert_eq!(to("2001:db8:a::")["metric"], 7);
        assert_eq!(to("2001:db8:c::1")["metric"], u32::MAX);
        assert_eq!(to("2001:db8:e::")["source"], "2001:db8:1::");
        assert_eq!(to("2001:db8:e::")["source_prefix"], 64);
        let rejecting = |row: &Row| row["flags"].as_array().unwrap().contains(&json!("REJECT"));
        for destination in ["2001:db8:d::", "2001:db8:d1::", "2001:db8:d2::"] {
            assert!(rejecting(to(destination)), "{destination}");
        }
        assert!(!rejecting(to("2001:db8:a::")));
        let legs = select(&rows, &[("destination", "2001:db8:f::".into())]);
        assert_eq!(legs.len(), 2, "a route of two hops is two rows: {legs:?}");
        assert_eq!(to("2001:db8:30::")["device"], "left");
    });
}
