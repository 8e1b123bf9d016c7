//! Networks of a test's own: a host behind an address translation, the Internet with a relay, and a device behind another.
//!
//! ```text
//!  this test 10.1.0.2 ── translation 198.51.100.1 ── Internet, relay 192.0.2.1 ── translation 203.0.113.1 ── device 10.2.0.2, .3
//! ```
//! Neither lets in what nobody has asked for (RFC 4787 §5, address- and port-dependent filtering). What [`Nat`] says decides
//! whether there is a way from one to the other but by a relay.

use std::fs::File;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::process::Command;

/// Says that this program runs in its own network.
const INSIDE: &str = "SKILLCALL_TEST_NETWORK";
/// This test's address.
pub(crate) const HERE: &str = "10.1.0.2";
/// The relay's address.
pub(crate) const RELAY: &str = "192.0.2.1";
/// The device's network.
pub(crate) const DEVICE: &str = "device";

/// How the translations choose ports.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nat {
    /// One for all destinations (RFC 4787 §4.1, endpoint-independent mapping): who knows it from a STUN server finds the way.
    Same,
    /// Another for each (address- and port-dependent mapping): nothing but a relay leads through both.
    Each,
}

const SETUP: &str = r#"
set -e
mount -t tmpfs tmpfs /run
ip link set lo up
for host in near internet far device; do
  ip netns add $host
  ip -n $host link set lo up
done
# link A ADDRESS-OF-A B ADDRESS-OF-B
link() {
  ip link add in-$1$3 type veth peer name in-$3$1
  case $1 in here) ip link set in-$1$3 name to-$3 ;; *) ip link set in-$1$3 netns $1 name to-$3 ;; esac
  ip link set in-$3$1 netns $3 name to-$1
  case $1 in here) set -- "$1" "$2" "$3" "$4" "" ;; *) set -- "$1" "$2" "$3" "$4" "-n $1" ;; esac
  ip $5 addr add $2/24 dev to-$3
  ip $5 link set to-$3 up
  ip -n $3 addr add $4/24 dev to-$1
  ip -n $3 link set to-$1 up
}
link here 10.1.0.2 near 10.1.0.1
link near 198.51.100.1 internet 198.51.100.2
link far 203.0.113.1 internet 203.0.113.2
link device 10.2.0.2 far 10.2.0.1
ip -n device addr add 10.2.0.3/24 dev to-far
ip -n internet addr add 192.0.2.1/32 dev lo
# What is addressed to private networks is lost there, as on the Internet: coturn takes no error for an answer.
ip -n internet link add nowhere type veth peer name abyss
ip -n internet link set nowhere arp off
ip -n internet link set nowhere up
ip -n internet link set abyss up
ip -n internet route add default dev nowhere
ip route add default via 10.1.0.1
ip -n near route add default via 198.51.100.2
ip -n far route add default via 203.0.113.2
ip -n device route add default via 10.2.0.1
for host in near internet far; do
  ip netns exec $host sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'
done
for host in near far; do
  ip netns exec $host nft "add table ip nat"
  ip netns exec $host nft "add chain ip nat post { type nat hook postrouting priority 100; }"
  ip netns exec $host nft "add rule ip nat post oifname to-internet masquerade $SKILLCALL_TEST_NAT"
  ip netns exec $host nft "add table ip guard"
  ip netns exec $host nft "add chain ip guard in { type filter hook input priority 0; }"
  ip netns exec $host nft "add rule ip guard in iifname to-internet meta l4proto udp drop"
done
exec "$@"
"#;

/// Runs the test that is named again, alone in these networks; true: this is that run, and the test goes on. False: the run was good,
/// or this machine gives nobody networks, which is counted with what was skipped.
pub(crate) fn is_own_network(test: &str, nat: Nat) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let unshare = |setup: &str| {
        let mut command = Command::new("unshare");
        // Whoever is not root becomes it in a namespace of users.
        command
            .args(["--user", "--map-root-user", "--net", "--mount"])
            .args(["sh", "-c", setup, "sh"]);
        command
    };
    let may = unshare("ip link add one type veth peer name two && nft list ruleset").output();
    let may = may.expect("unshare starts");
    if !may.status.success() {
        let why = String::from_utf8_lossy(&may.stderr);
        super::asterisk::skipped("networks of the tests' own", why.trim());
        return false;
    }
    let program = std::env::current_exe().unwrap();
    let output = unshare(SETUP)
        .arg(program)
        .args([test, "--nocapture"])
        .env(INSIDE, "1")
        .env(
            "SKILLCALL_TEST_NAT",
            match nat {
                Nat::Same => "",
                Nat::Each => "fully-random",
            },
        )
        .output()
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "in networks of its own:\n{said}");
    assert!(said.contains("1 passed"), "{test} is no test:\n{said}");
    false
}

/// From now on this test's network lets no UDP out to that address.
pub(crate) fn loses_udp_to(address: &str) {
    for rule in [
        "add table ip mute".to_owned(),
        "add chain ip mute out { type filter hook output priority 0; }".to_owned(),
        format!("add rule ip mute out ip daddr {address} meta l4proto udp drop"),
    ] {
        let done = Command::new("nft").arg(&rule).status().unwrap();
        assert!(done.success(), "{rule}");
    }
}

/// A socket in another of the networks.
pub(crate) fn socket_in(network: &str, address: &str) -> UdpSocket {
    let file = File::open(format!("/run/netns/{network}")).unwrap();
    let address: SocketAddr = format!("{address}:0").parse().unwrap();
    // Only the thread changes its network, and the socket stays where it was made.
    let made = std::thread::spawn(move || {
        // SAFETY: setns takes a descriptor, which is open here, and touches no memory.
        let done = unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) };
        assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
        UdpSocket::bind(address).unwrap()
    });
    made.join().unwrap()
}
