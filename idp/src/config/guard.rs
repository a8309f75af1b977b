//! Which addresses ODCM may connect to. An upstream names addresses in its metadata, and whoever configures it may be hostile
//! or wrong: nothing of that kind may reach the machine itself, its network or a cloud's metadata service, unless the operator
//! has said so (`[outbound] allow`).

use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What the operator allows beyond public addresses: networks, and names of hosts whatever their addresses are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    networks: Vec<IpNet>,
    hosts: Vec<String>,
}

impl Guard {
    /// Reads entries such as `10.0.0.0/8`, `192.0.2.7`, `fd00::/8`, `idp.corp.example` or `*.corp.example`.
    ///
    /// # Errors
    /// A sentence that names the entry.
    pub fn parse<S: AsRef<str>>(entries: &[S]) -> Result<Self, String> {
        let mut guard = Self::default();
        for entry in entries {
            let entry = entry.as_ref().trim();
            if let Ok(network) = entry.parse::<IpNet>() {
                guard.networks.push(network.trunc());
            } else if let Ok(address) = entry.parse::<IpAddr>() {
                guard.networks.push(address.into());
            } else {
                let name = entry.strip_prefix("*.").unwrap_or(entry);
                let labels = name.len() <= 253 && name.split('.').all(is_label);
                // a number at the end is an address that somebody mistyped (WHATWG URL, "ends in a number")
                if !labels || name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit())) {
                    return Err(format!("`{entry}` is neither a network (10.0.0.0/8) nor a host name (idp.corp.example)"));
                }
                guard.hosts.push(entry.to_ascii_lowercase());
            }
        }
        Ok(guard)
    }

    /// Whether the operator allowed this host by name.
    #[must_use]
    pub fn allows_host(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.hosts.iter().any(|allowed| match allowed.strip_prefix('*') {
            Some(suffix) => host.strip_suffix(suffix).is_some_and(|rest| !rest.is_empty()),
            None => *allowed == host,
        })
    }

    /// Whether a connection to `address`, which `host` resolved to, may be made.
    #[must_use]
    pub fn admits(&self, host: &str, address: IpAddr) -> bool {
        let address = address.to_canonical();
        is_public(address) || self.allows_host(host) || self.allows_address(address)
    }

    /// Whether the operator allowed this address by its network.
    #[must_use]
    pub fn allows_address(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address.to_canonical()))
    }
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Whether an address is one of the public internet: not in IANA's registries of special-purpose addresses (RFC 6890), and no
/// way around them by translation.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127 | 224.., _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 168, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    )
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    // 64:ff9b::/96 leads to the IPv4 address at its end (RFC 6052)
    if (a, b, c, d, e, f) == (0x64, 0xff9b, 0, 0, 0, 0) {
        let [g, h] = [g, h].map(u16::to_be_bytes);
        return is_public_v4(Ipv4Addr::new(g[0], g[1], h[0], h[1]));
    }
    // 2000::/3 is what is given out; of it not 2001::/23 (Teredo, benchmarking, ORCHID), the two for documentation, and 6to4
    (0x2000..=0x3fff).contains(&a) && !(a == 0x2001 && (b < 0x200 || b == 0xdb8)) && a != 0x2002 && !(a == 0x3fff && b < 0x1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_are_not_public() {
        let special = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for address in special {
            assert!(!is_public(address.parse().unwrap()), "{address}");
            assert!(!Guard::default().admits("idp.example.com", address.parse().unwrap()), "{address}");
        }
        let public = [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "223.255.255.255",
        ];
        for address in public.into_iter().chain(["2606:4700::1111", "2a00:1450::1", "64:ff9b::101:101", "2001:200::1"]) {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn the_operator_opens_networks_and_hosts() {
        let guard = Guard::parse(&["10.1.0.0/16", "fd00::/8", "192.168.7.7", "idp.corp.example", "*.Lab.example"]).unwrap();
        let may = |host: &str, address: &str| guard.admits(host, address.parse().unwrap());
        assert!(may("x", "10.1.255.1") && may("x", "::ffff:10.1.0.1") && may("x", "fd00::1") && may("x", "192.168.7.7"));
        assert!(!may("x", "10.2.0.1") && !may("x", "192.168.7.8") && !may("x", "127.0.0.1"));
        assert!(may("idp.corp.example", "127.0.0.1") && may("IDP.corp.example.", "10.9.9.9") && may("a.lab.example", "10.9.9.9"));
        assert!(!may("lab.example", "10.9.9.9") && !may("evil-idp.corp.example", "10.9.9.9") && !may("xlab.example", "10.9.9.9"));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for entry in ["", "10.0.0.0/33", "10.0.0", "a b", "http://x", "*", "*.*.x", "x/8", "1.2.3.4.5"] {
            let said = Guard::parse(&[entry]).unwrap_err();
            assert!(said.contains(&format!("`{entry}`")), "{said}");
        }
    }
}
