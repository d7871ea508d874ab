//! Where a request to the outside may go: what the operator allows besides the public internet, and the reading of a URL
//! that a customer gave. Resolves nothing (`outside` does); says nothing of what stood in the URL.

use std::net::IpAddr;

use url::{Host, Url};

use super::address::{contains, is_public};
use crate::domain::Invalid;

const FIELD: &str = "url";
/// As long as anybody's real one.
const LONGEST: usize = 2048;
/// Names under these are of the machine or of somebody's own network, wherever they lead.
const NOT_OF_THE_INTERNET: [&str; 5] = ["localhost", "local", "internal", "home.arpa", "onion"];

/// Hosts and networks that may be reached although they are not public.
#[derive(Debug, Clone, Default)]
pub struct AllowList {
    networks: Vec<(IpAddr, u8)>,
    names: Vec<String>,
}

/// A URL that may be asked for, as far as can be told without resolving its host.
#[derive(Clone, PartialEq, Eq)]
pub struct Destination(Url);

impl AllowList {
    /// Entries such as `10.0.0.0/8`, `::1` or `waha.internal`.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, Invalid> {
        let refused =
            || Invalid::new("outside.allow", "holds networks such as 10.0.0.0/8 and names such as waha.internal");
        let mut list = Self::default();
        for entry in entries {
            let (address, bits) = entry.split_once('/').map_or((entry, None), |(address, bits)| (address, Some(bits)));
            match (address.parse::<IpAddr>(), bits) {
                (Ok(address), bits) => {
                    let most = if address.is_ipv4() { 32 } else { 128 };
                    let bits = bits.map_or(Ok(most), str::parse).ok().filter(|bits| *bits <= most);
                    list.networks.push((address, bits.ok_or_else(refused)?));
                }
                (Err(_), None) => match Host::parse(entry) {
                    Ok(Host::Domain(name)) => list.names.push(plain(&name).to_owned()),
                    _ => return Err(refused()),
                },
                (Err(_), Some(_)) => return Err(refused()),
            }
        }
        Ok(list)
    }

    pub fn names(&self, host: &str) -> bool {
        self.names.iter().any(|name| name == plain(host))
    }

    /// Whether this address may be connected to.
    pub fn covers(&self, address: IpAddr) -> bool {
        is_public(address)
            || self.networks.iter().any(|(network, bits)| contains(*network, *bits, address.to_canonical()))
    }

    /// Whether this address, as which the host has turned out, may be connected to.
    pub fn lets(&self, host: &str, address: IpAddr) -> bool {
        self.names(host) || self.covers(address)
    }
}

impl Destination {
    pub fn parse(text: &str, allow: &AllowList) -> Result<Self, Invalid> {
        let refuse = |why: &'static str| Err(Invalid::new(FIELD, why));
        if text.len() > LONGEST {
            return refuse("must not be longer than 2048 characters");
        }
        let Ok(url) = Url::parse(text) else {
            return refuse("must be an absolute URL such as https://example.com/hook");
        };
        // Parsers of URLs forgive much; what they would have to forgive is not taken.
        let Some(rest) = written_after_scheme(text, url.scheme()) else {
            return refuse("must begin with https:// or http://");
        };
        if text.chars().any(|letter| letter.is_whitespace() || letter.is_control()) {
            return refuse("must not hold blanks or control characters");
        }
        let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
        if authority.contains('@') || !url.username().is_empty() || url.password().is_some() {
            return refuse("must not hold a user name or password");
        }
        if url.port() == Some(0) {
            return refuse("must not name port 0");
        }
        let this = Self(url);
        this.check_literal(allow)?;
        Ok(this)
    }

    /// What no resolver will be asked about: an address instead of a name, and names that are known without asking.
    fn check_literal(&self, allow: &AllowList) -> Result<(), Invalid> {
        let refused = || Err(not_public());
        match self.0.host() {
            Some(Host::Ipv4(address)) if !allow.covers(address.into()) => refused(),
            Some(Host::Ipv6(address)) if !allow.covers(address.into()) => refused(),
            Some(Host::Domain(name)) if !allow.names(name) => {
                let name = plain(name);
                let is_under =
                    |top: &&str| name == *top || name.strip_suffix(top).is_some_and(|rest| rest.ends_with('.'));
                let is_this_machine = is_under(&"localhost");
                match () {
                    () if is_this_machine && allow.covers([127, 0, 0, 1].into()) => Ok(()),
                    () if !name.contains('.') || NOT_OF_THE_INTERNET.iter().any(is_under) => refused(),
                    () => Ok(()),
                }
            }
            Some(_) => Ok(()),
            None => refused(),
        }
    }

    pub fn url(&self) -> &Url {
        &self.0
    }

    /// The host if it is a name, and so has to be resolved.
    pub fn name(&self) -> Option<&str> {
        match self.0.host() {
            Some(Host::Domain(name)) => Some(name),
            _ => None,
        }
    }
}

/// What follows `https://` or `http://`, as the text has it.
fn written_after_scheme<'a>(text: &'a str, scheme: &str) -> Option<&'a str> {
    let (written, rest) = text.split_once("://")?;
    let is_ours = matches!(scheme, "http" | "https") && written.eq_ignore_ascii_case(scheme);
    is_ours.then_some(rest)
}

pub fn not_public() -> Invalid {
    Invalid::new(FIELD, "must lead to a public address; the operator can allow others ([outside] allow)")
}

/// A name without the dot that may stand at its end.
fn plain(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_single_addresses_and_names_can_be_allowed() {
        let allow = AllowList::parse(["10.0.0.0/8", "::1", "192.168.1.7", "Waha.Internal"]).unwrap();
        for (address, verdict) in [
            ("10.9.8.7", true),
            ("11.0.0.1", true),
            ("192.168.1.7", true),
            ("192.168.1.8", false),
            ("::1", true),
            ("::2", false),
        ] {
            assert_eq!(allow.covers(address.parse().unwrap()), verdict, "{address}");
        }
        assert!(allow.lets("waha.internal.", "127.0.0.1".parse().unwrap()));
        assert!(!allow.lets("other.internal", "127.0.0.1".parse().unwrap()));
        for wrong in ["10.0.0.0/33", "::/129", "10.0.0.0/x", "", "a b", "waha.internal/8", "300.1.1.1", "http://x"] {
            assert!(AllowList::parse([wrong]).is_err(), "{wrong}");
        }
    }
}
